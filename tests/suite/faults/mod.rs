//! Faults: the behaviour of a server when the system returns an error, or does less than requested.
//!
//! Some faults are simulated by a transport or a socket of the test. The others are real. They run in a
//! process of their own, because limits and signals affect a whole process.

mod accept;
#[cfg(target_os = "linux")]
mod datagrams;
#[cfg(target_os = "linux")]
mod descriptors;
mod served;
#[cfg(target_os = "linux")]
mod signals;
mod sockets;
mod standard_error;
#[cfg(target_os = "linux")]
mod threads;
