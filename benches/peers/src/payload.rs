//! Message contents. All messages of a run are different, so an echo that goes to the wrong client, or
//! belongs to an earlier message, is detected.

use crate::Result;

/// Identifies a message: the connection or slot, and the number of the message on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub source: u32,
    pub sequence: u32,
}

impl Tag {
    /// The tag as one number, which is the start of the message.
    fn to_u64(self) -> u64 {
        u64::from(self.source) << 32 | u64::from(self.sequence)
    }

    /// Reads the tag of a message; `None` if the message is too short.
    pub fn of(message: &[u8]) -> Option<Self> {
        let tag = u64::from_le_bytes(*message.first_chunk()?);
        Some(Self {
            source: (tag >> 32) as u32,
            sequence: tag as u32,
        })
    }

    /// Writes the message of this tag: the tag, then a sequence of numbers that depends on it.
    ///
    /// The sequence is cheap to compute, because the load must be faster than the server.
    pub fn fill(self, message: &mut [u8]) {
        let tag = self.to_u64();
        let (first, rest) = message.split_at_mut(message.len().min(8));
        first.copy_from_slice(&tag.to_le_bytes()[..first.len()]);

        let mut word = mix(tag);
        let mut blocks = rest.chunks_exact_mut(8);
        for block in &mut blocks {
            block.copy_from_slice(&word.to_le_bytes());
            word = word.wrapping_add(STEP);
        }
        let end = blocks.into_remainder();
        end.copy_from_slice(&word.to_le_bytes()[..end.len()]);
    }

    /// Compares an echo, or the part that has arrived, with the bytes that were sent.
    pub fn check(self, echo: &[u8], expected: &[u8]) -> Result {
        if echo == expected {
            return Ok(());
        }
        let same = echo
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        Err(format!(
            "wrong echo of message {} of source {}: {} bytes, {} expected, different from \
             byte {same} on: {:02x?} instead of {:02x?}",
            self.sequence,
            self.source,
            echo.len(),
            expected.len(),
            excerpt(echo, same),
            excerpt(expected, same),
        )
        .into())
    }
}

/// Up to 16 bytes from `start` on, for an error message.
fn excerpt(bytes: &[u8], start: usize) -> &[u8] {
    &bytes[start..bytes.len().min(start + 16)]
}

/// The fraction of the golden ratio in 64 bits. Small multiples of it are far apart.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64, so that consecutive tags share no pattern.
fn mix(tag: u64) -> u64 {
    let mut word = tag.wrapping_add(1).wrapping_mul(0xd134_2543_de82_ef95);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::Tag;

    fn message(source: u32, sequence: u32, size: usize) -> Vec<u8> {
        let mut message = vec![0; size];
        Tag { source, sequence }.fill(&mut message);
        message
    }

    #[test]
    fn a_message_contains_its_tag() {
        let tag = Tag::of(&message(7, 9, 61)).unwrap();
        assert_eq!((tag.source, tag.sequence), (7, 9));
        assert_eq!(Tag::of(&[0; 7]), None);
    }

    #[test]
    fn neighbours_differ_in_every_block() {
        let this = message(1, 1, 64);
        for other in [message(1, 2, 64), message(2, 1, 64)] {
            for (a, b) in this.chunks(8).zip(other.chunks(8)) {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn a_wrong_echo_is_reported_with_its_offset() {
        let tag = Tag {
            source: 3,
            sequence: 4,
        };
        let expected = message(3, 4, 64);
        let mut echo = expected.clone();
        assert!(tag.check(&echo, &expected).is_ok());
        echo[20] ^= 1;
        let error = tag.check(&echo, &expected).unwrap_err().to_string();
        assert!(error.contains("from byte 20 on"), "{error}");
        let error = tag.check(&expected[..63], &expected).unwrap_err();
        assert!(
            error.to_string().contains("63 bytes, 64 expected"),
            "{error}"
        );
    }
}
