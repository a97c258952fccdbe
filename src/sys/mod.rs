//! System calls, and everything that depends on the platform.
//!
//! The rest of the crate is portable Rust over what this module offers:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`socket`] | makes sockets listen; reads and sets their options, addresses and timeouts |
//! | [`accept`] | accepts connections |
//! | [`datagram`] | receives and sends datagrams |
//! | [`recv_batch`] | receives several datagrams by one system call |
//! | [`poll`] | waits for descriptors with `poll(2)` |
//! | [`poller`] | waits for many sockets with `epoll(7)` |
//! | [`exclusive`] | waits for one listener on several threads, of which a request wakes one |
//! | [`waker`] | the descriptor that ends a wait from another thread |
//! | [`signal`] | Ctrl-C, SIGTERM and SIGHUP, on request |
//! | [`coarse_clock`] | a cheap clock for ages and idle times |
//! | [`fork`] | makes a child process for a request |
//! | [`fork_gate`] | checks that a fork is safe beside other threads |
//! | [`child_process`] | waits for a child process, and signals it |
//! | [`child_channel`] | carries stop requests from children to their parent |

// One of the two modules with unsafe code; `coroutine` is the other.
#![allow(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "socketserver supports Unix systems only (it is tested on Linux): Windows has neither the \
     poll(2) nor the Unix socket calls that src/sys is written with"
);

pub(crate) mod accept;
pub(crate) mod child_channel;
pub(crate) mod child_process;
pub(crate) mod coarse_clock;
pub(crate) mod datagram;
pub(crate) mod exclusive;
pub(crate) mod fork;
pub(crate) mod fork_gate;
pub(crate) mod poll;
pub(crate) mod poller;
pub(crate) mod recv_batch;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod waker;
