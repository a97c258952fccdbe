//! Limits on accepted connections: their number, their number per client, and their rate; and the policies
//! for clients above them.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socketserver::transport::{Stream, Tcp};
use socketserver::{
    Coroutines, OverloadPolicy, Rejection, Request, Sequential, Service, Strategy, ThreadPool,
    Threading, sleep,
};

use self::checks::*;
use self::common::*;
use self::live::a_raised_limit_admits_waiting_clients;
use crate::support::net::*;

/// Makes tests of a check for each stream transport, under each strategy that serves several connections at
/// a time.
macro_rules! for_concurrent_strategies {
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

            #[cfg(unix)]
            #[test]
            fn unix() {
                check::<socketserver::transport::UnixStream>();
            }
        })*
    };
}

pub(crate) mod access;
mod capacity;
pub(crate) mod checks;
pub(crate) mod common;
mod connections;
pub(crate) mod live;
mod rate;
mod stopping;

for_concurrent_strategies!(
    a_rejected_client_sees_the_policy,
    clients_are_rejected_when_the_wait_expires,
    clients_are_served_before_the_wait_expires,
    a_limit_counts_under_handle_request,
    handle_request_rejects_at_a_limit,
    a_stop_ends_the_wait_of_handle_request,
    a_limit_can_be_changed_and_taken_back,
    a_raised_limit_admits_waiting_clients,
);

/// Number of connections that a strategy serves at once under a limit of `limit`.
fn at_once<M: 'static>(limit: usize) -> usize {
    if TypeId::of::<M>() == TypeId::of::<Sequential>() {
        1
    } else {
        limit
    }
}

/// Counts the handlers that run now, and the most that ran at once.
#[derive(Clone, Default)]
struct Concurrency {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Concurrency {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}
