//! The read buffer of a stream request.

use std::cell::Cell;
#[cfg(unix)]
use std::hint::black_box;
use std::io;

/// Size of a buffer in bytes. Large transfers need few system calls with it: for messages of 100 KiB,
/// 16 KiB buffers reach 0.68 of the rate of 64 KiB buffers.
const SIZE: usize = 64 * 1024;

thread_local! {
    /// The buffer of this thread, while no request on it uses the buffer.
    static SPARE: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// Allocates this thread's buffer, if it has none. A child process that is forked from the thread then
/// need not allocate it, which costs more page faults than serving a short request.
#[cfg(unix)]
pub(crate) fn ensure_read_buffer() {
    let _ = SPARE.try_with(|spare| {
        let buffer = spare.take().unwrap_or_else(buffer_after_gap);
        spare.set(Some(buffer));
    });
}

/// Allocates a buffer with free memory before it. Requests then allocate next to the beginning of the
/// buffer instead of far behind it, because each additional page that both sides of a fork write to
/// costs two page faults.
#[cfg(unix)]
fn buffer_after_gap() -> Vec<u8> {
    const GAP: usize = 2048;

    // `black_box`, because the optimizer removes an allocation that is not used.
    let gap = black_box(Vec::<u8>::with_capacity(GAP));
    let buffer = new_buffer();
    drop(gap);
    buffer
}

/// Allocates a buffer. The kernel assigns memory only to the pages that are written to.
fn new_buffer() -> Vec<u8> {
    Vec::with_capacity(SIZE)
}

/// A read buffer that a request borrows from its thread. The request holds it only while it receives, and
/// while it has bytes that were received and not yet read.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    received: Option<Vec<u8>>,
    /// Number of bytes of `received` that were read.
    read: usize,
}

impl ReadBuffer {
    /// Bytes that were received and not yet read.
    pub(super) fn unread(&self) -> &[u8] {
        match &self.received {
            Some(received) => &received[self.read..],
            None => &[],
        }
    }

    /// Marks `amount` bytes as read.
    pub(super) fn consume(&mut self, amount: usize) {
        let Some(received) = &self.received else {
            return;
        };
        self.read = (self.read + amount).min(received.len());
        if self.read == received.len() {
            self.give_back();
        }
    }

    /// Refills an empty buffer. `receive` appends to the vector, at most its free capacity.
    pub(super) fn fill<T>(
        &mut self,
        receive: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
    ) -> io::Result<()> {
        debug_assert!(self.unread().is_empty(), "unread bytes would be lost");
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut buffer = spare.unwrap_or_else(new_buffer);
        // Stored only after `receive`: bytes that it leaves in the buffer when it panics do not count as
        // received.
        let outcome = receive(&mut buffer);
        let is_empty = buffer.is_empty();
        self.received = Some(buffer);
        if is_empty {
            self.give_back();
        }
        outcome.map(drop)
    }

    /// Returns the buffer to the thread.
    fn give_back(&mut self) {
        self.read = 0;
        if let Some(mut buffer) = self.received.take() {
            buffer.clear();
            let _ = SPARE.try_with(|spare| spare.set(Some(buffer)));
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

    fn thread_has_buffer() -> bool {
        SPARE.with(|spare| {
            let buffer = spare.take();
            let has_buffer = buffer.is_some();
            spare.set(buffer);
            has_buffer
        })
    }

    #[test]
    fn the_buffer_goes_back_to_the_thread_once_it_is_read() {
        let mut buffer = ReadBuffer::default();
        buffer
            .fill(|bytes| {
                bytes.extend_from_slice(b"abc");
                Ok(())
            })
            .unwrap();
        assert_eq!(buffer.unread(), b"abc");
        assert!(!thread_has_buffer());
        buffer.consume(1);
        assert_eq!(buffer.unread(), b"bc");
        buffer.consume(2);
        assert_eq!(buffer.unread(), b"");
        assert!(thread_has_buffer());
    }

    #[test]
    fn a_failed_or_empty_read_keeps_no_buffer() {
        let mut buffer = ReadBuffer::default();
        buffer
            .fill::<()>(|_| Err(io::ErrorKind::TimedOut.into()))
            .unwrap_err();
        assert!(thread_has_buffer());
        buffer.fill(|_| Ok(())).unwrap();
        assert!(buffer.unread().is_empty() && thread_has_buffer());
    }
}
