//! Schedules: what clients do, what the server is like, and when it is stopped, as data, so that one that
//! goes wrong can be made smaller.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use socketserver::OverloadPolicy;

/// What those read who are turned away by a limit, or at the close.
pub(crate) const FAREWELLS: [&[u8]; 2] = [b"421 too busy\n", b"421 closing\n"];

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) house: House,
    pub(crate) steps: Vec<Step>,
    /// Before which of the steps the stop is asked for.
    pub(crate) stop_before: usize,
    pub(crate) stop: Stop,
}

/// What the server is like.
#[derive(Clone, Debug)]
pub(crate) struct House {
    /// Whom `verify_request` refuses: the first where the lowest bit is set, and so on; after eight it
    /// begins anew.
    pub(crate) rejected: u8,
    pub(crate) limit: Option<Limit>,
    pub(crate) grace: Duration,
    /// Whether those who wait in the queue at the close are refused; if not, they are served.
    pub(crate) refuses_waiting: bool,
    /// Whether it runs by `spawn`, or on a thread of the test's.
    pub(crate) in_background: bool,
}

impl House {
    /// Whether somebody may find himself outside for another reason than a stop.
    pub(crate) fn may_refuse(&self) -> bool {
        self.rejected != 0 || self.limit.is_some()
    }

    /// Whether those who are too many are reset.
    pub(crate) fn resets(&self) -> bool {
        let (Some(Limit::Connections(_, policy) | Limit::PerClient(_, policy))
        | Some(Limit::Rate(_, policy))) = &self.limit
        else {
            return false;
        };
        *policy == Rejection::Reset
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Limit {
    Connections(usize, OverloadPolicy),
    PerClient(usize, OverloadPolicy),
    /// So many at once, and then one every 10 ms.
    Rate(u32, OverloadPolicy),
}

/// Who stops it, and how it is closed.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// By `server_close`, or by `stop` if it runs in the background.
    Close,
    Drop,
}

/// Clients are known by their numbers, modulo how many have come.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Connect,
    /// Some lines, in one piece.
    Say(usize, Vec<Word>),
    /// A part of a line.
    Begin(usize),
    /// Reads what is there.
    Listen(usize),
    HalfClose(usize),
    Reset(usize),
    Leave(usize),
    /// Lets the server get on.
    Pause(u64),
    /// Stops serving, and serves again.
    ServeAnew,
}

/// What a line of a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Echo,
    /// More than fits into the buffers of a client that does not read.
    Flood,
    Fail,
    Panic,
    Quit,
    /// Asks for a stop, in the handler.
    Stop,
}

impl Word {
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self, Self::Stop)
    }

    pub(crate) fn line(self) -> &'static [u8] {
        match self {
            Self::Echo => b"echo\n",
            Self::Flood => b"flood\n",
            Self::Fail => b"fail\n",
            Self::Panic => b"panic\n",
            Self::Quit => b"quit\n",
            Self::Stop => b"stop\n",
        }
    }
}

fn policies() -> impl Strategy<Value = OverloadPolicy> {
    prop_oneof![
        Just(OverloadPolicy::Wait),
        Just(Rejection::Close),
        Just(Rejection::Message(FAREWELLS[0].to_vec())),
        Just(OverloadPolicy::WaitAtMost(Duration::from_millis(5))),
        Just(Rejection::Reset),
    ]
}

fn houses() -> impl Strategy<Value = House> {
    let limit = prop_oneof![
        4 => Just(None),
        1 => (1..4usize, policies()).prop_map(|(n, policy)| Some(Limit::Connections(n, policy))),
        1 => (1..4usize, policies()).prop_map(|(n, policy)| Some(Limit::PerClient(n, policy))),
        1 => (1..4u32, policies()).prop_map(|(n, policy)| Some(Limit::Rate(n, policy))),
    ];
    let refused = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    let grace = prop_oneof![Just(0), 1..60u64];
    (refused, limit, grace, any::<bool>(), any::<bool>()).prop_map(
        |(refused, limit, grace, refuses_waiting, in_background)| House {
            refused,
            limit,
            grace: Duration::from_millis(grace),
            refuses_waiting,
            in_background,
        },
    )
}

/// `floods`: where an answer may be long.
fn steps(floods: bool) -> impl Strategy<Value = Step> {
    let word = prop_oneof![
        8 => Just(Word::Echo),
        u32::from(floods) => Just(Word::Flood),
        1 => Just(Word::Fail),
        1 => Just(Word::Panic),
        2 => Just(Word::Quit),
        1 => Just(Word::Stop),
    ];
    let who = 0..16usize;
    prop_oneof![
        8 => Just(Step::Connect),
        8 => (who.clone(), vec(word, 0..5)).prop_map(|(who, words)| Step::Say(who, words)),
        2 => who.clone().prop_map(Step::Begin),
        4 => who.clone().prop_map(Step::Listen),
        4 => who.clone().prop_map(Step::HalfClose),
        1 => who.clone().prop_map(Step::Reset),
        1 => who.prop_map(Step::Leave),
        3 => (1..4u64).prop_map(Step::Pause),
        1 => Just(Step::ServeAnew),
    ]
}

pub(crate) fn schedules(floods: bool) -> impl Strategy<Value = Schedule> {
    let stop = prop_oneof![4 => Just(Stop::Close), 1 => Just(Stop::Drop)];
    (houses(), vec(steps(floods), 0..40), 0..60usize, stop).prop_map(
        |(house, steps, stop_before, stop)| Schedule {
            house,
            steps,
            stop_before,
            stop,
        },
    )
}
