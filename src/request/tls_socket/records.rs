//! Limits of the records in a stream of encrypted bytes.

/// Size in bytes of the header of a record. Its last two bytes are the size of the rest.
const HEADER_SIZE: usize = 5;

/// Position in a stream of records.
#[derive(Default)]
pub(super) struct Records {
    /// Number of bytes of the header that have passed; all of them if a part of the rest has.
    header: usize,
    size: [u8; 2],
    /// Number of bytes that are missing of the record whose header has passed.
    missing: usize,
}

impl Records {
    /// Moves the position behind `bytes`.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.header < HEADER_SIZE {
                if let Some(digit) = self.header.checked_sub(HEADER_SIZE - self.size.len()) {
                    self.size[digit] = bytes[0];
                }
                bytes = &bytes[1..];
                self.header += 1;
                self.missing = u16::from_be_bytes(self.size).into();
            } else {
                let passed = bytes.len().min(self.missing);
                bytes = &bytes[passed..];
                self.missing -= passed;
            }
            if self.header == HEADER_SIZE && self.missing == 0 {
                *self = Self::default();
            }
        }
    }

    /// Returns whether the position is in a record, and not between two.
    pub(super) fn ends_in_record(&self) -> bool {
        self.header > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_known_whatever_arrives_together() {
        let mut stream = Vec::new();
        let mut ends = Vec::new();
        for size in [0u16, 1, 2, 300, 0, 16_640] {
            stream.extend([23, 3, 3]);
            stream.extend(size.to_be_bytes());
            stream.resize(stream.len() + usize::from(size), 0xff);
            ends.push(stream.len());
        }
        for step in [1, 2, 3, 5, 7, 304, 305, 4096, stream.len()] {
            let mut records = Records::default();
            let mut position = 0;
            for part in stream.chunks(step) {
                records.pass(part);
                position += part.len();
                assert_eq!(
                    records.ends_in_record(),
                    !ends.contains(&position),
                    "{position} in steps of {step}"
                );
            }
        }
    }
}
