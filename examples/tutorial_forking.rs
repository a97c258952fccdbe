//! The server of the tutorial with a process for each client (`docs/tutorial`). It numbers the
//! messages, to show that each process has a counter of its own.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_forking
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start a client in two other terminals:
//!
//! ```text
//! $ cargo run -q --example binary_tcp_client_v2
//! >>:hello
//! Clinet recive data: 1: [hello] Sun Jun 20 23:21:05 1993 from process 4712
//! >>:
//! ```
//!
//! An argument replaces the address `localhost:6969`, in both programs. Python twin:
//! `examples/python/tutorial_forking.py`.

#[cfg(unix)]
include!("unix/tutorial_forking.rs");

#[cfg(not(unix))]
fn main() {
    eprintln!("This system cannot fork.");
}
