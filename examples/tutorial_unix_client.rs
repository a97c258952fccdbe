//! The client of the servers on a Unix socket (`docs/tutorial`).
//!
//! Start `tutorial_unix_v1` in one terminal, and the client in another:
//!
//! ```text
//! $ cargo run -q --example tutorial_unix_client
//! >>:hello
//! Clinet recive data: [hello] Sun Jun 20 23:21:05 1993
//! ```
//!
//! An argument replaces the path `tutorial.sock`. Python twin: `examples/python/tutorial_unix_client.py`.

#[cfg(unix)]
include!("unix/tutorial_unix_client.rs");

#[cfg(not(unix))]
fn main() {
    eprintln!("This system has no Unix sockets.");
}
