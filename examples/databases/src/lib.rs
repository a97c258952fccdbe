//! A server that counts visits in a database. A client sends names, one a line, and gets the number of visits of each.
//!
//! `docs/how-to/databases.md` has the regions of these files: the lines between `// region: NAME` and `// endregion`.
//!
//! A closure cannot own a connection directly, because many threads call it:
//!
//! ```compile_fail,E0277
//! # use socketserver::prelude::*;
//! let database = rusqlite::Connection::open_in_memory()?;
//! handler_fn(move |request: &mut TcpRequest| {
//!     database.execute("DELETE FROM visits", [])?;
//!     Ok(request.send_all("deleted\n")?)
//! });
//! # Ok::<(), BoxError>(())
//! ```
//!
//! ```
//! # use socketserver::prelude::*;
//! let database = std::sync::Mutex::new(rusqlite::Connection::open_in_memory()?);
//! handler_fn(move |request: &mut TcpRequest| {
//!     database.lock().unwrap().execute("DELETE FROM visits", [])?;
//!     Ok(request.send_all("deleted\n")?)
//! });
//! # Ok::<(), BoxError>(())
//! ```

pub mod postgresql;
pub mod sqlite;
