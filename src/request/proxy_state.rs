//! Knowledge about the proxy of a connection: its header, or that there must be none.

use std::io;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::address::Address;
use crate::handshake_error::proxy_header;
use crate::request::proxy_header::{ProxyInfo, V2_SIGNATURE};

/// Knowledge about the proxy of a connection.
pub(super) struct ProxyState<A> {
    /// The header, and the client's address in it.
    header: OnceLock<(ProxyInfo, Option<A>)>,
    expectation: AtomicU8,
}

/// No header is expected, and none is looked for.
const UNAWARE: u8 = 0;
/// The header of a trusted proxy comes first, and tells the client's address.
const EXPECTED: u8 = 1;
/// The first bytes were a header, which was forbidden.
const VIOLATED: u8 = 2;
/// As [`EXPECTED`], but no header has come in time, and none must come any more.
const GIVEN_UP: u8 = 3;
/// The first bytes must not be a header. The other bits are a set of [`FORBIDDEN_STARTS`] with which the received bytes
/// agree (shifted by [`SET_SHIFT`]), and the number of received bytes.
const FORBIDDEN: u8 = 0x80;
const SET_SHIFT: u8 = 4;
/// State before the first byte.
const FORBIDDEN_FROM_START: u8 = FORBIDDEN | 0b111 << SET_SHIFT;
const NUMBER_MASK: u8 = 0x0f;
/// Starts of all headers. Each is shorter than [`NUMBER_MASK`].
const FORBIDDEN_STARTS: [&[u8]; 3] = [V2_SIGNATURE, b"PROXY TCP", b"PROXY UNK"];

/// Returns the state that follows the state `now`, in which a header is forbidden, when `received` arrives.
fn after_bytes(now: u8, received: &[u8]) -> u8 {
    let known = usize::from(now & NUMBER_MASK);
    let mut agreeing = 0;
    for (index, start) in FORBIDDEN_STARTS.iter().enumerate() {
        let bit = 1 << (SET_SHIFT + index as u8);
        if now & bit == 0 {
            continue;
        }
        let rest = &start[known..];
        if received.starts_with(rest) {
            return VIOLATED;
        }
        if rest.starts_with(received) {
            agreeing |= bit;
        }
    }
    match agreeing {
        0 => UNAWARE,
        // The number is less than the size of a start, because `received` is shorter than the rest of one.
        _ => FORBIDDEN | agreeing | (known + received.len()) as u8,
    }
}

impl<A> Default for ProxyState<A> {
    fn default() -> Self {
        Self {
            header: OnceLock::new(),
            expectation: AtomicU8::new(UNAWARE),
        }
    }
}

impl<A: Address> ProxyState<A> {
    pub(super) fn expect(&self) {
        self.expectation.store(EXPECTED, Ordering::Relaxed);
    }

    pub(super) fn forbid(&self) {
        self.expectation
            .store(FORBIDDEN_FROM_START, Ordering::Relaxed);
    }

    /// Records that the client has sent nothing in time. A header that comes later is forbidden.
    pub(super) fn give_up(&self) {
        self.expectation.store(GIVEN_UP, Ordering::Relaxed);
    }

    /// Records the header of a trusted proxy.
    pub(super) fn set(&self, info: ProxyInfo) {
        let client = info.client_address().and_then(A::from_proxy);
        let _ = self.header.set((info, client));
    }

    pub(super) fn info(&self) -> Option<ProxyInfo> {
        self.header.get().map(|(info, _)| info.clone())
    }

    pub(super) fn client_address(&self) -> Option<&A> {
        self.header.get()?.1.as_ref()
    }

    pub(super) fn is_expected(&self) -> bool {
        matches!(
            self.expectation.load(Ordering::Relaxed),
            EXPECTED | GIVEN_UP
        )
    }

    /// After the handshake, returns the address of the client of a trusted proxy, or of a connection without a
    /// header. The proxy's own connections have none. Returns it once.
    pub(super) fn take_address(&self, peer: &A) -> Option<IpAddr> {
        let next = match self.expectation.load(Ordering::Relaxed) {
            EXPECTED => UNAWARE,
            GIVEN_UP => FORBIDDEN_FROM_START,
            _ => return None,
        };
        self.expectation.store(next, Ordering::Relaxed);
        match self.header.get() {
            Some((info, _)) => info.client_address().map(|client| client.ip()),
            None => peer.clone().into().ip(),
        }
    }

    /// Checks received bytes. Those at the start of a connection that must not begin with a header can arrive in
    /// any pieces.
    ///
    /// # Errors
    ///
    /// If the connection begins with a header.
    #[inline]
    pub(super) fn check_start(&self, received: &[u8]) -> io::Result<()> {
        let now = self.expectation.load(Ordering::Relaxed);
        if now < VIOLATED {
            return Ok(());
        }
        if now >= FORBIDDEN {
            let next = after_bytes(now, received);
            self.expectation.store(next, Ordering::Relaxed);
        }
        self.violation().map_or(Ok(()), Err)
    }

    pub(super) fn violation(&self) -> Option<io::Error> {
        let is_violated = self.expectation.load(Ordering::Relaxed) == VIOLATED;
        is_violated.then(|| {
            proxy_header("a header of a proxy comes too late, or from a source that is not trusted")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn forbidding() -> ProxyState<SocketAddr> {
        let state = ProxyState::default();
        state.forbid();
        state
    }

    /// A forbidden header is found at its first bytes, in whichever pieces they arrive.
    #[test]
    fn a_forbidden_header_can_arrive_in_pieces() {
        for start in FORBIDDEN_STARTS {
            for size in 1..=start.len() + 1 {
                let data = [start, b"4 1.2.3.4"].concat();
                let state = forbidding();
                let pieces = data.chunks(size);
                let found = pieces.map(|piece| state.check_start(piece).is_err());
                let found = found.take_while(|found| !found).count();
                assert_eq!(
                    found,
                    (start.len() - 1) / size,
                    "{start:?} in pieces of {size}"
                );
                assert!(state.violation().is_some());
                assert!(state.check_start(b"more").is_err());
            }
        }
    }

    #[test]
    fn a_start_that_is_no_header_is_not_forbidden() {
        let texts: [&[u8]; 6] = [
            b"PROXY UDP4 x",
            b"PROXY  TCP",
            b"PPROXY TCP",
            b"xPROXY TCP",
            b"\r\n\r\n\0\r\nQUIT\r",
            b"\r\nPROXY TCP4",
        ];
        for text in texts {
            for size in 1..=text.len() {
                let state = forbidding();
                for piece in text.chunks(size) {
                    state.check_start(piece).unwrap();
                }
                // A header that comes later is the client's data.
                state.check_start(b"PROXY TCP4 ").unwrap();
            }
        }
    }
}
