//! A server that counts visits in a database. A client sends names, one a line, and gets the number of visits of each.
//!
//! `docs/how-to/databases.md` has the regions of these files: the lines between `// region: NAME` and `// endregion`.

pub mod postgresql;
pub mod sqlite;
