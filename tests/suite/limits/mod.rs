//! Limits on who is taken in: how many, how many of one client, how fast; and what becomes of the others.

use std::any::TypeId;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socketserver::transport::{Stream, Tcp};
use socketserver::{
    Coroutines, OverloadPolicy, Request, Sequential, Server, Service, Strategy, ThreadPool,
    Threading, sleep,
};

use self::shared::*;
use crate::support::net::*;

/// The same for strategies that serve several at a time, with room for a few more than `places`.
macro_rules! for_several {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use super::*;

            fn check<T: Connected + Stream>() {
                super::$check::<T>(|| Box::new(Threading::new()));
                super::$check::<T>(|| Box::new(ThreadPool::new(8)));
                super::$check::<T>(|| Box::new(Coroutines::new().workers(1)));
                super::$check::<T>(|| Box::new(Coroutines::new().workers(3)));
            }

            #[test]
            fn tcp() {
                check::<Tcp>();
            }

            #[test]
            fn unix() {
                check::<socketserver::transport::UnixStream>();
            }
        })*
    };
}

// After the macros, which they use.
mod accounts;
mod connections;
mod rate;
pub(crate) mod shared;
mod stopping;

for_several!(
    who_is_turned_away_sees_how,
    who_has_waited_for_too_long_is_turned_away,
    who_may_wait_for_long_is_served,
    a_limit_counts_under_handle_request,
    a_stop_ends_the_wait_of_handle_request,
    a_limit_can_be_changed_and_taken_back,
);

/// How many a strategy serves at once, if `limit` may be.
fn at_once<M: 'static>(limit: usize) -> usize {
    if TypeId::of::<M>() == TypeId::of::<Sequential>() {
        1
    } else {
        limit
    }
}

/// Counts those who are inside, and remembers how many there were at most.
#[derive(Clone, Default)]
struct Inside {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Inside {
    fn enter(&self) -> Inside {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.clone()
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}
