//! Stand-in for the errors of a server.

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(feature = "server")]
#[derive(Debug)]
pub(crate) enum Error {
    AlreadyServing,
}
