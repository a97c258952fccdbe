//! Memory that one datagram leaves to the next.

use std::cell::Cell;

/// Larger ones are not worth keeping around.
const LARGEST: usize = 16 * 1024;

/// A datagram needs a vector for its packet and one for the reply.
type Spares = [Vec<u8>; 2];

thread_local! {
    static SPARES: Cell<Spares> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// Two empty vectors, with what capacity the last datagram on this thread has left.
#[inline]
pub(super) fn take() -> Spares {
    SPARES.try_with(Cell::take).unwrap_or_default()
}

/// Leaves the memory of two vectors to the next datagram on this thread.
#[inline]
pub(super) fn leave(mut vectors: Spares) {
    vectors.iter_mut().for_each(empty);
    let _ = SPARES.try_with(|spares| spares.set(vectors));
}

/// Empties a vector, and gives its memory back if it is large.
#[inline]
pub(super) fn empty(vector: &mut Vec<u8>) {
    vector.clear();
    if vector.capacity() > LARGEST {
        *vector = Vec::new();
    }
}
