//! Faults: what a server does when the system refuses it something, or does less than it was asked for.
//!
//! Some are made up by a transport or a socket of the test's own; the others are real, and happen in a
//! process of their own, because limits and signals concern a whole process.

mod accept;
mod datagrams;
mod descriptors;
mod served;
mod signals;
mod sockets;
mod threads;
