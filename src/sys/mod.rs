//! Everything that depends on the platform, and every call that waits for a socket, in one place.
//!
//! The rest of the crate is portable and safe Rust over what this module offers:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`socket`] | makes sockets listen; their addresses and timeouts |
//! | [`accept`] | accepts connections |
//! | [`stream`] | moves the bytes of connections: a handler's reads and writes wait here |
//! | [`datagram`] | receives and sends datagrams |
//! | [`arrivals`] | receives several by one system call |
//! | [`poll`] | waits for descriptors to become readable: an accept loop waits here |
//! | [`exclusive`] | the same for loops on several threads, of which each request wakes one |
//! | [`wake`] | the descriptor that ends such a wait from another thread |
//! | [`signal`] | Ctrl-C and SIGTERM, on request |
//! | [`condition`] | waits for another thread |
//! | [`clock`] | what ages are counted by |
//! | [`coroutine`] | runs handlers that wait without a thread of their own |
//! | [`turn`] | a lock for those who wait while they hold it |
//! | [`fork`] | makes a process for a request |
//! | [`child`] | waits for such a process, and ends it |
//! | [`parked`] | knows when a fork is harmless |
//! | [`plea`] | what a child can ask of its parent |

// The only module that may: see the `[lints]` of the crate.
#![allow(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "socketserver supports Unix systems only (it is tested on Linux): Windows has neither the \
     poll(2) nor the Unix socket calls that src/sys is written with"
);

pub(crate) mod accept;
pub(crate) mod arrivals;
pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod condition;
pub(crate) mod coroutine;
pub(crate) mod datagram;
pub(crate) mod exclusive;
pub(crate) mod fork;
pub(crate) mod parked;
pub(crate) mod plea;
pub(crate) mod poll;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod stream;
pub(crate) mod turn;
pub(crate) mod wake;
