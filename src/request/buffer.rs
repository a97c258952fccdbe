//! Where received bytes wait until the handler reads them.

use std::cell::Cell;
use std::hint::black_box;
use std::io;

/// Large enough that big transfers need few system calls: at messages of 100 KiB, 16 KiB buffers
/// reach 0.68 of the rate of 64 KiB ones.
const SIZE: usize = 64 * 1024;

thread_local! {
    /// The buffer of this thread, while no request on it holds unread bytes.
    static SPARE: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// Makes sure that this thread has a buffer. A child that is forked from it then need not get one:
/// that costs more page faults than serving a short request.
pub(crate) fn have_spare() {
    let _ = SPARE.try_with(|spare| {
        let buffer = spare.take().unwrap_or_else(buffer_behind_room);
        spare.set(Some(buffer));
    });
}

/// A buffer, with free memory before it. What requests keep on the heap finds room there, next to the
/// beginning of the buffer, and not far behind it: each page more that both sides of a fork write to
/// is two page faults.
fn buffer_behind_room() -> Vec<u8> {
    const ROOM: usize = 2048;

    // Unseen by the optimizer, which leaves out memory that nobody uses.
    let room = black_box(Vec::<u8>::with_capacity(ROOM));
    let buffer = new_buffer();
    drop(room);
    buffer
}

/// Only what is written to it takes memory.
fn new_buffer() -> Vec<u8> {
    Vec::with_capacity(SIZE)
}

/// A read buffer that belongs to the thread and is lent to the request: a request owns one only
/// while it holds bytes that were received and not yet read, or is receiving some.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    received: Option<Vec<u8>>,
    /// How much of it was read.
    read: usize,
}

impl ReadBuffer {
    /// The bytes that were received and not yet read.
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

    /// Refills an empty buffer by `receive`, which adds to the vector as much as there is room for
    /// in it.
    pub(super) fn fill<T>(
        &mut self,
        receive: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
    ) -> io::Result<()> {
        debug_assert!(self.unread().is_empty(), "unread bytes would be lost");
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut buffer = spare.unwrap_or_else(new_buffer);
        // LeftoverDatagrams here until then: what a panic leaves in it was not received.
        let outcome = receive(&mut buffer);
        let is_empty = buffer.is_empty();
        self.received = Some(buffer);
        if is_empty {
            self.give_back();
        }
        outcome.map(drop)
    }

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
                bytes.extend_from_slice(b"abc");
                Ok(())
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
            .fill::<()>(|_| Err(io::ErrorKind::TimedOut.into()))
            .unwrap_err();
        assert!(spare_here());
        buffer.fill(|_| Ok(())).unwrap();
        assert!(buffer.unread().is_empty() && spare_here());
    }
}
