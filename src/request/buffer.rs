//! Where received bytes wait until the handler reads them.

use std::cell::Cell;
use std::io;

/// Large enough that big transfers need few system calls: at messages of 100 KiB, 16 KiB buffers
/// reach 0.68 of the rate of 64 KiB ones.
const SIZE: usize = 64 * 1024;

thread_local! {
    /// The buffer of this thread, while no request on it holds unread bytes.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// A read buffer that belongs to the thread and is lent to the request: a request owns one only
/// while it holds bytes that were received and not yet read, or is receiving some.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// The bytes that were received and not yet read.
    pub(super) fn unread(&self) -> &[u8] {
        match &self.bytes {
            Some(bytes) => &bytes[self.start..self.end],
            None => &[],
        }
    }

    /// Marks `amount` bytes as read.
    pub(super) fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
        if self.start == self.end {
            self.give_back();
        }
    }

    /// Refills an empty buffer by `receive`, which returns how many bytes it put there.
    pub(super) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        debug_assert!(self.unread().is_empty(), "unread bytes would be lost");
        let bytes = self.bytes.insert(
            SPARE
                .try_with(Cell::take)
                .ok()
                .flatten()
                .unwrap_or_else(|| vec![0; SIZE].into_boxed_slice()),
        );
        let received = receive(bytes);
        self.start = 0;
        self.end = *received.as_ref().unwrap_or(&0);
        if self.end == 0 {
            self.give_back();
        }
        received.map(drop)
    }

    fn give_back(&mut self) {
        let bytes = self.bytes.take();
        (self.start, self.end) = (0, 0);
        if bytes.is_some() {
            let _ = SPARE.try_with(|spare| spare.set(bytes));
        }
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare_here() -> bool {
        SPARE.with(|spare| {
            let bytes = spare.take();
            let there = bytes.is_some();
            spare.set(bytes);
            there
        })
    }

    #[test]
    fn the_buffer_goes_back_to_the_thread_once_it_is_read() {
        let mut buffer = ReadBuffer::default();
        buffer
            .fill(|bytes| {
                bytes[..3].copy_from_slice(b"abc");
                Ok(3)
            })
            .unwrap();
        assert_eq!(buffer.unread(), b"abc");
        assert!(!spare_here());
        buffer.consume(1);
        assert_eq!(buffer.unread(), b"bc");
        buffer.consume(2);
        assert_eq!(buffer.unread(), b"");
        assert!(spare_here());
    }

    #[test]
    fn a_failed_or_empty_read_keeps_no_buffer() {
        let mut buffer = ReadBuffer::default();
        buffer
            .fill(|_| Err(io::ErrorKind::TimedOut.into()))
            .unwrap_err();
        assert!(spare_here());
        buffer.fill(|_| Ok(0)).unwrap();
        assert!(buffer.unread().is_empty() && spare_here());
    }
}
