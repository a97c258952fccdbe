//! Property tests of reading: no byte is lost or read twice, and no call reads more than it should, in
//! whatever pieces the bytes arrive and by whatever calls they are read.
//!
//! Random conversations are played and compared with a model, which knows all bytes that are sent.
//! `PROPTEST_CASES=10000 cargo test reading::` plays more conversations.

mod calls;
mod datagrams;
mod streams;

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::scale::scale;

/// Plays random conversations. One that fails is shrunk and printed.
fn play_many<C: Debug>(conversations: &impl Strategy<Value = C>, play: impl Fn(&C) -> Outcome) {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_time: 20_000, // ms
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = scale(12, 48);
    }
    let played = TestRunner::new(config).run(conversations, |conversation| {
        play(&conversation).map_err(TestCaseError::fail)
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

/// The error describes the first difference from the model.
type Outcome = Result<(), String>;

/// Small, medium and large sizes, and sizes around the limits: reads of 4096 bytes and more bypass the read
/// buffer of a request, which has 64 KiB.
fn sizes() -> impl Strategy<Value = usize> + Clone {
    proptest::prop_oneof![
        8 => 0..40_usize,
        4 => 0..5_000_usize,
        2 => 0..70_000_usize,
        1 => 4_094..4_099_usize,
        1 => 65_534..65_539_usize,
    ]
}

/// Pseudo-random bytes without a line end. Lost, repeated or reordered bytes change them.
fn noise(seed: usize, size: usize) -> impl Iterator<Item = u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ seed as u64;
    let bytes = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state as u8 == b'\n' {
            b'.'
        } else {
            state as u8
        }
    });
    bytes.take(size)
}
