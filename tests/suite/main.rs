//! Tests of the public API, in one program, with a directory or a file for each subject.
//!
//! libtest runs them in parallel in one process. Tests that count or limit resources of a whole process start a
//! process of their own (`support::alone`).

#[path = "../support/mod.rs"]
mod support;

#[path = "../../examples/common/mod.rs"]
mod common;

mod chaos;
mod clients;
mod closing;
mod compile_fail;
mod conservation;
mod coroutines;
mod datagram_batches;
mod datagram_requests;
mod deadlines;
mod differential;
mod disconnects;
mod docs;
mod docs_options;
mod examples;
mod faults;
mod forking;
mod handlers;
mod isolation;
mod life_cycle;
mod limits;
mod limits_forking;
mod lingering;
mod no_leaks;
mod options;
mod phases;
mod python_gaps;
mod python_interop;
mod python_names;
mod python_parity;
mod reading;
mod registry;
mod restarts;
mod senders;
mod stalls;
mod strategies;
mod stream_requests;
mod testing;
mod translations;
mod tutorial;
