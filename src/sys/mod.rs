//! System calls, and all code that depends on the platform. The rest of the crate is portable Rust.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`fd`] | names for descriptors, which are sockets on Windows |
//! | [`socket`] | makes sockets listen; reads and sets their options and timeouts |
//! | [`accept`] | accepts connections |
//! | [`transfer`] | receives from and sends to connections |
//! | [`interrupt`] | waits for connections that a shutdown of the connection ends |
//! | [`datagram`] | receives and sends datagrams |
//! | [`error_queue`] | takes the errors of datagrams that were sent earlier |
//! | [`disconnect`] | recognizes errors which mean that a client is gone |
//! | [`recv_batch`] | receives several datagrams with one system call |
//! | `control_messages` | reads and writes control messages (Linux) |
//! | [`pktinfo`] | reports the destinations of datagrams, and sends from a given address |
//! | [`poll`] | waits for descriptors with `poll(2)` |
//! | [`poller`] | waits for many sockets |
//! | [`listener_fds`] | the listening sockets of one server |
//! | [`exclusive`] | waits for listeners on several threads; a request wakes one of them |
//! | [`coarse_clock`] | measures ages and idle times cheaply |
//! | [`stop_signal`], [`signal_order`] | signals that can stop a server; which of them is the first |
//!
//! The modules of `unix` and `windows` have the same names, or exist on one of them only:
//!
//! | module | purpose |
//! | --- | --- |
//! | [`flags`] | flags of single calls |
//! | [`descriptor`] | properties of descriptors |
//! | [`waker`] | ends waits from another thread |
//! | [`stderr`] | writes reports to standard error, on Unix without waiting |
//! | [`signal`] | handles Ctrl-C, SIGTERM and SIGHUP, and the console events of Windows |
//! | [`termination`] | tells the first from the second termination signal, in the server and in children |
//! | [`fork_gate`] | ensures that a fork is safe beside other threads |
//! | [`close_on_fork`] | replaces descriptors in children |
//! | [`child_channel`] | carries stop requests from children to their parent |
//! | `unix_sockets`, `unix_address`, `socket_file` | Unix sockets, their addresses and files |
//! | `fork`, `child_process`, `signal_mask`, `thread_list` | forks a child process for a request, and waits for it |

// Only this module and `coroutine` contain unsafe code.
#![allow(unsafe_code)]

pub(crate) mod accept;
pub(crate) mod coarse_clock;
#[cfg(linux_api)]
mod control_messages;
pub(crate) mod datagram;
pub(crate) mod disconnect;
pub(crate) mod error_queue;
pub(crate) mod exclusive;
pub(crate) mod fd;
pub(crate) mod interrupt;
pub(crate) mod listener_fds;
pub(crate) mod pktinfo;
pub(crate) mod poll;
pub(crate) mod poller;
pub(crate) mod recv_batch;
pub(crate) mod signal_order;
pub(crate) mod socket;
pub(crate) mod stop_signal;
pub(crate) mod transfer;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
compile_error!("socketserver supports Unix systems and Windows: build it for one of them");

#[cfg(unix)]
pub(crate) use self::unix::*;
#[cfg(windows)]
pub(crate) use self::windows::*;
