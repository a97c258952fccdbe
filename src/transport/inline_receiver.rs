//! Receiving requests for an accept loop that runs each request itself.

use std::fmt;
use std::io;

#[cfg(doc)]
use crate::transport::Transport;

/// How a transport of this crate receives for an accept loop that runs each request before it receives
/// the next: an opaque value from [`Transport::inline_receiver`].
///
/// The default value means: by [`Transport::get_request`], one request at a time.
///
/// See the [example](Transport::inline_receiver).
pub struct InlineReceiver<'a, R>(Option<Box<dyn ReceiveInline<R> + 'a>>);

/// Receives requests of which only one exists at a time, so that all of them share its memory.
pub(crate) trait ReceiveInline<R> {
    /// Returns the next request that is received already.
    fn next_buffered(&mut self) -> Option<&mut R>;

    /// Receives at least one request, without waiting, and returns the first. `speculative`: the loop
    /// has not waited for it either.
    fn receive(&mut self, speculative: bool) -> io::Result<&mut R>;
}

impl<'a, R> InlineReceiver<'a, R> {
    pub(crate) fn new(receiver: impl ReceiveInline<R> + 'a) -> Self {
        Self(Some(Box::new(receiver)))
    }

    pub(crate) fn into_inner(self) -> Option<Box<dyn ReceiveInline<R> + 'a>> {
        self.0
    }
}

impl<R> Default for InlineReceiver<'_, R> {
    fn default() -> Self {
        Self(None)
    }
}

impl<R> fmt::Debug for InlineReceiver<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineReceiver")
            .field("is_default", &self.0.is_none())
            .finish()
    }
}
