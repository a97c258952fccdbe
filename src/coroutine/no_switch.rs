//! Replaces the switches between stacks on processors for which there are none: no coroutine ever runs.

use std::convert::Infallible;
use std::io;

use crate::coroutine::task::Task;

pub(crate) struct Stack {
    never: Infallible,
}

impl Stack {
    pub(super) fn new(_size: usize) -> io::Result<Self> {
        Err(unavailable())
    }
}

pub(super) struct Coroutine {
    never: Infallible,
}

impl Coroutine {
    pub(super) fn new(stack: Stack, _task: Task, _work: impl FnOnce() + 'static) -> Self {
        match stack.never {}
    }

    pub(super) fn resume(self) -> Result<Self, Stack> {
        match self.never {}
    }
}

/// Returns an error, because no worker can run a coroutine.
pub(super) fn check_available() -> io::Result<()> {
    Err(unavailable())
}

fn unavailable() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "`Coroutines` is not available on this processor: use another strategy, such as `Threading`",
    )
}

#[inline]
pub(crate) fn is_coroutine() -> bool {
    false
}

#[inline]
pub(crate) fn with_current<T>(_act: impl FnOnce(&Task) -> T) -> Option<T> {
    None
}

pub(super) fn suspend() {
    unreachable!("no coroutine runs on this processor");
}
