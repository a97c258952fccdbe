//! The listening sockets that one accept loop waits for.

use std::fmt;

use crate::sys::fd::{AsRawFd, BorrowedFd};

/// Sockets by number. None once the server is closed.
pub(crate) trait ListenerList {
    /// Returns the socket with this number, from 0 on.
    fn listener(&self, number: usize) -> Option<BorrowedFd<'_>>;
}

/// The listening sockets of a server. Most servers have one.
#[derive(Clone, Copy)]
pub(crate) struct ListenerFds<'a>(&'a dyn ListenerList);

impl<'a> ListenerFds<'a> {
    pub(crate) fn new(list: &'a dyn ListenerList) -> Self {
        Self(list)
    }

    /// Returns the socket if there is only one, for which waits are cheaper.
    #[inline]
    pub(crate) fn only(self) -> Option<BorrowedFd<'a>> {
        match (self.0.listener(0), self.0.listener(1)) {
            (only, None) => only,
            _ => None,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = BorrowedFd<'a>> {
        (0..).map_while(move |number| self.0.listener(number))
    }
}

impl fmt::Debug for ListenerFds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.iter().map(|listener| listener.as_raw_fd());
        f.debug_list().entries(numbers).finish()
    }
}

#[cfg(test)]
impl<const N: usize> ListenerList for [BorrowedFd<'_>; N] {
    fn listener(&self, number: usize) -> Option<BorrowedFd<'_>> {
        self.get(number).copied()
    }
}
