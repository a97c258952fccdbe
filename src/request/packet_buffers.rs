//! Buffers of datagram requests, kept by each thread for its next request.

use std::cell::Cell;

/// Capacity in bytes beyond which a buffer is freed instead of kept.
const MAX_KEPT_CAPACITY: usize = 16 * 1024;

/// One buffer for the packet and one for the reply.
type Buffers = [Vec<u8>; 2];

thread_local! {
    static KEPT: Cell<Buffers> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// Returns two empty buffers, with the capacity that the thread's last request returned.
#[inline]
pub(super) fn take() -> Buffers {
    KEPT.try_with(Cell::take).unwrap_or_default()
}

/// Keeps two buffers for the next request of this thread.
#[inline]
pub(super) fn give_back(mut buffers: Buffers) {
    buffers.iter_mut().for_each(clear);
    let _ = KEPT.try_with(|kept| kept.set(buffers));
}

/// Empties a buffer, and frees its memory if it is larger than [`MAX_KEPT_CAPACITY`].
#[inline]
pub(super) fn clear(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > MAX_KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}
