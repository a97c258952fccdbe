//! Directories for the socket files of tests.

use std::fs::DirBuilder;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A new directory for one socket file, which only this user can enter. Dropping it removes the directory.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new() -> io::Result<Self> {
        loop {
            let name = format!("socketserver-testing-{}-{}", std::process::id(), unique());
            let path = std::env::temp_dir().join(name);
            match private_directory().create(&path) {
                Ok(()) => return Ok(Self(path)),
                // A killed process with this process id has left the directory.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Path of the socket file.
    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns a builder for a directory that only this user can enter.
fn private_directory() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Returns a number that is unique in this process.
pub(super) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
