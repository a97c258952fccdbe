//! Tests of the public API, in one program, with a directory or a file for each subject.
//!
//! libtest runs them in parallel in one process. Tests that count or limit resources of a whole process start a
//! process of their own (`support::alone`).

// Some helpers and imports are for tests of what other systems lack, or for tests that read `/proc` of Linux.
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, unused_macros)
)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
#[path = "../../examples/common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod chaos;
#[cfg(unix)]
mod clients;
mod closing;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod compile_fail;
#[cfg(unix)]
mod conservation;
mod coroutines;
#[cfg(target_os = "linux")]
mod datagram_batches;
mod datagram_requests;
mod deadlines;
#[cfg(unix)]
mod differential;
mod disconnects;
#[cfg(unix)]
mod docs;
#[cfg(unix)]
mod docs_options;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod faults;
#[cfg(target_os = "linux")]
mod forking;
mod groups;
mod handlers;
#[cfg(unix)]
mod isolation;
mod life_cycle;
mod limits;
#[cfg(unix)]
mod limits_forking;
mod lingering;
#[cfg(unix)]
mod no_leaks;
mod options;
mod phases;
#[cfg(feature = "proxy-protocol")]
mod proxies;
mod python_gaps;
#[cfg(unix)]
mod python_interop;
#[cfg(unix)]
mod python_names;
mod python_parity;
mod reading;
mod registry;
#[cfg(target_os = "linux")]
mod restarts;
mod senders;
mod several_addresses;
#[cfg(target_os = "linux")]
mod stalls;
mod strategies;
mod stream_requests;
mod testing;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod translations;
#[cfg(unix)]
mod tutorial;
