//! Faults: the behaviour of a server when the system returns an error, or does less than requested.
//!
//! Some faults are simulated by a transport or a socket of the test. The others are real. They run in a
//! process of their own, because limits and signals affect a whole process.

mod accept;
mod datagrams;
mod descriptors;
mod served;
mod signals;
mod sockets;
mod standard_error;
mod threads;
