//! Writes reports to standard error.

use std::io::{self, Write};

/// Writes `text` to standard error. Waits for its reader, as every write of this system does.
pub(crate) fn report(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
