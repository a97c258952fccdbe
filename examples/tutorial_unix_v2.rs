//! The server on a Unix socket that only its own user can reach, and that replaces the file of an earlier
//! run (`docs/tutorial`).
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run -q --example tutorial_unix_v2
//! listening on tutorial.sock
//! ```
//!
//! Start `tutorial_unix_client` in another terminal. An argument replaces the path `tutorial.sock`. Python
//! twin: `examples/python/tutorial_unix_v2.py`.

#[cfg(unix)]
include!("unix/tutorial_unix_v2.rs");

#[cfg(not(unix))]
fn main() {
    eprintln!("This system has no Unix sockets.");
}
