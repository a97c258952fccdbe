//! System calls, and all code that depends on the platform. The rest of the crate is portable Rust.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`socket`] | makes sockets listen; reads and sets their options and timeouts |
//! | [`unix_address`] | converts Unix socket addresses |
//! | [`socket_file`] | finds out whether the file of a Unix socket is in use, and removes it |
//! | [`accept`] | accepts connections |
//! | [`datagram`] | receives and sends datagrams |
//! | [`error_queue`] | takes the errors of datagrams that were sent earlier |
//! | [`disconnect`] | recognizes errors which mean that a client is gone |
//! | [`recv_batch`] | receives several datagrams with one system call |
//! | `control_messages` | reads and writes control messages (Linux) |
//! | [`pktinfo`] | reports the destinations of datagrams, and sends from a given address |
//! | [`poll`] | waits for descriptors with `poll(2)` |
//! | [`poller`] | waits for many sockets with `epoll(7)` |
//! | [`exclusive`] | waits for one listener on several threads; a request wakes one of them |
//! | [`waker`] | ends waits from another thread |
//! | [`stderr`] | writes reports to standard error, without waiting |
//! | [`signal`] | handles Ctrl-C, SIGTERM and SIGHUP |
//! | [`coarse_clock`] | measures ages and idle times cheaply |
//! | [`fork`] | forks a child process for a request |
//! | [`fork_gate`] | ensures that a fork is safe beside other threads |
//! | [`thread_list`] | counts the threads of this process |
//! | [`signal_mask`] | blocks termination signals during a fork |
//! | [`termination`] | tells the first from the second termination signal, in the server and in children |
//! | [`close_on_fork`] | replaces descriptors in children |
//! | [`child_process`] | waits for a child process and signals it |
//! | [`child_channel`] | carries stop requests from children to their parent |

// Only this module and `coroutine` contain unsafe code.
#![allow(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "socketserver supports Unix systems only (it is tested on Linux), because src/sys uses poll(2) \
     and Unix sockets: build it for a Unix target"
);

pub(crate) mod accept;
pub(crate) mod child_channel;
pub(crate) mod child_process;
pub(crate) mod close_on_fork;
pub(crate) mod coarse_clock;
#[cfg(linux_api)]
mod control_messages;
pub(crate) mod datagram;
pub(crate) mod disconnect;
pub(crate) mod error_queue;
pub(crate) mod exclusive;
pub(crate) mod fork;
pub(crate) mod fork_gate;
pub(crate) mod pktinfo;
pub(crate) mod poll;
pub(crate) mod poller;
pub(crate) mod recv_batch;
pub(crate) mod signal;
pub(crate) mod signal_mask;
pub(crate) mod socket;
pub(crate) mod socket_file;
pub(crate) mod stderr;
pub(crate) mod termination;
pub(crate) mod thread_list;
pub(crate) mod unix_address;
pub(crate) mod waker;
