//! The server that answers, on a Unix socket (`docs/tutorial`).
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_unix_v1
//! listening on tutorial.sock
//! ```
//!
//! Start `tutorial_unix_client` in another terminal. An argument replaces the path `tutorial.sock`. Python
//! twin: `examples/python/tutorial_unix_v1.py`.

#[cfg(unix)]
include!("unix/tutorial_unix_v1.rs");

#[cfg(not(unix))]
fn main() {
    eprintln!("This system has no Unix sockets.");
}
