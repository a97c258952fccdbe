//! The strategies as values, for tests that run under all five of them.

use socketserver::{Coroutines, Sequential, Strategy, ThreadPool, Threading};

#[cfg(unix)]
use super::net::forking;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sequential,
    Threading,
    ThreadPool,
    Coroutines,
    Forking,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self::Sequential,
        Self::Threading,
        Self::ThreadPool,
        Self::Coroutines,
        #[cfg(unix)]
        Self::Forking,
    ];

    pub(crate) fn strategy(self) -> Box<dyn Strategy> {
        match self {
            Self::Sequential => Box::new(Sequential),
            Self::Threading => Box::new(Threading::new()),
            Self::ThreadPool => Box::new(ThreadPool::new(8)),
            Self::Coroutines => Box::new(Coroutines::new().workers(2)),
            #[cfg(unix)]
            Self::Forking => Box::new(forking()),
            #[cfg(not(unix))]
            Self::Forking => unreachable!("this system cannot fork"),
        }
    }

    /// With one accept loop, so that requests are accepted in an order that can be observed.
    pub(crate) fn with_one_accept_loop(self) -> Box<dyn Strategy> {
        match self {
            Self::ThreadPool => Box::new(ThreadPool::new(1)),
            Self::Coroutines => Box::new(Coroutines::new().workers(1)),
            _ => self.strategy(),
        }
    }

    /// Name of the strategy on the command line of the example `echo_server`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Threading => "threading",
            Self::ThreadPool => "thread-pool",
            Self::Coroutines => "coroutines",
            Self::Forking => "forking",
        }
    }

    /// Returns whether the strategy serves several connections at the same time.
    pub(crate) fn serves_several(self) -> bool {
        self != Self::Sequential
    }
}

/// Makes a `#[test]` of each function for each strategy.
macro_rules! by_kind {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use $crate::support::kinds::Kind;

            $crate::support::kinds::by_kind!(@ $check);

            #[cfg(unix)]
            #[test]
            fn forking() {
                super::$check(Kind::Forking);
            }
        })*
    };
    (@ $check:ident) => {
        #[test]
        fn sequential() {
            super::$check(Kind::Sequential);
        }
        #[test]
        fn threading() {
            super::$check(Kind::Threading);
        }
        #[test]
        fn thread_pool() {
            super::$check(Kind::ThreadPool);
        }
        #[test]
        fn coroutines() {
            super::$check(Kind::Coroutines);
        }
    };
}

/// Makes the same tests of functions that start their server in the calling process. The test of the forking server
/// runs in a process of its own.
macro_rules! by_kind_here {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use $crate::support::alone::{apart, test_name};
            use $crate::support::kinds::{Kind, by_kind};

            by_kind!(@ $check);

            #[cfg(unix)]
            #[test]
            fn forking() {
                apart(test_name!("forking"), || super::$check(Kind::Forking));
            }
        })*
    };
}

pub(crate) use {by_kind, by_kind_here};
