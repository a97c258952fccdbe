//! Errors of certificates.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::BoxError;

/// Why a [`TlsConfig`](crate::tls::TlsConfig) could not be made or reloaded. The message names the file and the
/// next step.
///
/// ```
/// use socketserver::tls::TlsConfig;
///
/// let error = TlsConfig::from_pem_files("missing.pem", "missing.key").unwrap_err();
/// assert_eq!(error.path().unwrap().to_str(), Some("missing.pem"));
/// assert!(error.to_string().contains("openssl req"));
/// ```
pub struct TlsError {
    what: &'static str,
    path: Option<PathBuf>,
    /// Another file that is concerned, and what it has.
    other: Option<(&'static str, PathBuf)>,
    advice: &'static str,
    source: BoxError,
}

impl TlsError {
    pub(super) fn new(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self {
            what,
            path: None,
            other: None,
            advice: "",
            source: source.into(),
        }
    }

    pub(super) fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.into());
        self
    }

    pub(super) fn besides(mut self, what: &'static str, path: &Path) -> Self {
        self.other = Some((what, path.into()));
        self
    }

    pub(super) fn with_advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    /// The file that is the cause, if one is.
    ///
    /// See the [example](Self).
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        if let Some((what, path)) = &self.other {
            write!(f, ", {what} {}", path.display())?;
        }
        write!(f, ": {}", self.source)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

/// Like `Display`, because Rust prints `Debug` when `main` returns an error.
impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
