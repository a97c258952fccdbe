//! Whatever is sent, however it is cut on its way, and by whatever calls it is read: nothing is lost,
//! nothing comes twice, and no call takes more than it should. Conversations are made up at random and
//! compared with a model, which has all that is sent at hand.
//!
//! `PROPTEST_CASES=10000 cargo test reading::` plays more of them.

mod calls;
mod datagrams;
mod streams;

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::scale::scale;

/// Plays conversations at random. One that goes wrong is made as small as may be and printed.
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

/// What was not as it should be.
type Outcome = Result<(), String>;

/// Sizes of all kinds: small ones, middling ones, large ones, and those around which something changes:
/// from 4096 bytes on, reads go past the buffer of a request, which has 64 KiB.
fn sizes() -> impl Strategy<Value = usize> + Clone {
    proptest::prop_oneof![
        8 => 0..40_usize,
        4 => 0..5_000_usize,
        2 => 0..70_000_usize,
        1 => 4_094..4_099_usize,
        1 => 65_534..65_539_usize,
    ]
}

/// Bytes without a pattern that a mistake could hide behind, and without a line end.
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
