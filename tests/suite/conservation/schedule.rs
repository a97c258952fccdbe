//! Schedules as data: the actions of clients, the settings of the server and the moment of its stop. So
//! proptest can shrink a schedule that fails.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use socketserver::{OverloadPolicy, Rejection};

/// Rejection message of limits.
pub(crate) const OVERLOAD_MESSAGE: &[u8] = b"421 too busy\n";

/// Rejection message for connections and datagrams in the backlog of a server that is being closed.
pub(crate) const CLOSING_MESSAGE: &[u8] = b"421 closing\n";

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) config: ServerConfig,
    pub(crate) steps: Vec<Step>,
    /// Index of the step before which the stop begins; after all steps if there are fewer.
    pub(crate) stop_before: usize,
    pub(crate) stop: Stop,
}

#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    /// Requests that `verify_request` rejects: request `n` if bit `n % 8` is set.
    pub(crate) rejected: u8,
    pub(crate) limit: Option<Limit>,
    pub(crate) grace_period: Duration,
    /// Whether the backlog is rejected when the server is closed. Otherwise it is served.
    pub(crate) rejects_backlog: bool,
    /// Whether the server runs by `spawn`. Otherwise it runs on a thread of the test.
    pub(crate) in_background: bool,
}

impl ServerConfig {
    /// Returns whether connections may be rejected before a stop.
    pub(crate) fn may_reject(&self) -> bool {
        self.rejected != 0 || self.limit.is_some()
    }

    /// Returns whether connections above the limit are reset.
    pub(crate) fn resets(&self) -> bool {
        match &self.limit {
            None => false,
            Some(Limit::Connections(_, policy) | Limit::Rate(_, policy)) => {
                *policy == OverloadPolicy::Reject(Rejection::Reset)
            }
            Some(Limit::PerClient(_, rejection)) => *rejection == Rejection::Reset,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Limit {
    Connections(usize, OverloadPolicy),
    PerClient(usize, Rejection),
    /// A burst of this size, and then one connection every 10 ms.
    Rate(u32, OverloadPolicy),
}

#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// `stop` if the server runs in the background, otherwise `server_close`.
    Close,
    Drop,
}

/// Clients are numbered in the order in which they connect. Numbers are taken modulo the number of clients.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Connect,
    /// Sends some lines, in one write.
    Send(usize, Vec<Line>),
    /// Sends an incomplete line.
    SendPart(usize),
    /// Reads the data that has arrived.
    Read(usize),
    HalfClose(usize),
    Reset(usize),
    Leave(usize),
    /// Sleeps for some milliseconds.
    Pause(u64),
    /// Stops serving, and serves again.
    Restart,
}

/// A line of a client, for [`answer_lines`](super::protocol::answer_lines).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line {
    Echo,
    /// The answer exceeds the buffers of a client that does not read.
    Flood,
    Fail,
    Panic,
    Quit,
    /// The handler requests a stop.
    Stop,
}

impl Line {
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self, Self::Stop)
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Echo => b"echo\n",
            Self::Flood => b"flood\n",
            Self::Fail => b"fail\n",
            Self::Panic => b"panic\n",
            Self::Quit => b"quit\n",
            Self::Stop => b"stop\n",
        }
    }

    pub(crate) fn concat(lines: &[Self]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| line.bytes())
            .copied()
            .collect()
    }
}

fn rejections() -> impl Strategy<Value = Rejection> {
    prop_oneof![
        Just(Rejection::Close),
        Just(Rejection::message(OVERLOAD_MESSAGE)),
        Just(Rejection::Reset),
    ]
}

fn policies() -> impl Strategy<Value = OverloadPolicy> {
    prop_oneof![
        1 => Just(OverloadPolicy::Wait),
        1 => Just(OverloadPolicy::WaitAtMost(Duration::from_millis(5))),
        3 => rejections().prop_map(OverloadPolicy::Reject),
    ]
}

fn configs() -> impl Strategy<Value = ServerConfig> {
    let limit = prop_oneof![
        4 => Just(None),
        1 => (1..4usize, policies()).prop_map(|(n, policy)| Some(Limit::Connections(n, policy))),
        1 => (1..4usize, rejections()).prop_map(|(n, rejection)| Some(Limit::PerClient(n, rejection))),
        1 => (1..4u32, policies()).prop_map(|(n, policy)| Some(Limit::Rate(n, policy))),
    ];
    let rejected = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    let grace_period = prop_oneof![Just(0), 1..60u64];
    (rejected, limit, grace_period, any::<bool>(), any::<bool>()).prop_map(
        |(rejected, limit, grace_period, rejects_backlog, in_background)| ServerConfig {
            rejected,
            limit,
            grace_period: Duration::from_millis(grace_period),
            rejects_backlog,
            in_background,
        },
    )
}

/// `floods`: whether answers may be long.
fn steps(floods: bool) -> impl Strategy<Value = Step> {
    let line = prop_oneof![
        8 => Just(Line::Echo),
        u32::from(floods) => Just(Line::Flood),
        1 => Just(Line::Fail),
        1 => Just(Line::Panic),
        2 => Just(Line::Quit),
        1 => Just(Line::Stop),
    ];
    let client = 0..16usize;
    prop_oneof![
        8 => Just(Step::Connect),
        8 => (client.clone(), vec(line, 0..5)).prop_map(|(client, lines)| Step::Send(client, lines)),
        2 => client.clone().prop_map(Step::SendPart),
        4 => client.clone().prop_map(Step::Read),
        4 => client.clone().prop_map(Step::HalfClose),
        1 => client.clone().prop_map(Step::Reset),
        1 => client.prop_map(Step::Leave),
        3 => (1..4u64).prop_map(Step::Pause),
        1 => Just(Step::Restart),
    ]
}

pub(crate) fn schedules(floods: bool) -> impl Strategy<Value = Schedule> {
    let stop = prop_oneof![4 => Just(Stop::Close), 1 => Just(Stop::Drop)];
    (configs(), vec(steps(floods), 0..40), 0..60usize, stop).prop_map(
        |(config, steps, stop_before, stop)| Schedule {
            config,
            steps,
            stop_before,
            stop,
        },
    )
}
