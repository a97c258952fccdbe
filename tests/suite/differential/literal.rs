//! Bytes: how scripts write them, and how transcripts show them.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Largest number of bytes that is shown in full.
const SHOWN: usize = 300;

/// Reads `"text\n"` or `"text" * 3`.
pub(crate) fn parse(source: &str) -> Vec<u8> {
    try_parse(source).unwrap_or_else(|| panic!("not a text literal: {source}"))
}

fn try_parse(source: &str) -> Option<Vec<u8>> {
    let (text, times) = match source.rsplit_once("\" * ") {
        Some((text, times)) => (text, times.parse().ok()?),
        None => (source.strip_suffix('"')?, 1),
    };
    Some(unescape(text.strip_prefix('"')?)?.repeat(times))
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend(plain.bytes());
        let (byte, size) = match escaped.chars().next()? {
            'n' => (b'\n', 1),
            'r' => (b'\r', 1),
            't' => (b'\t', 1),
            '0' => (0, 1),
            '\\' => (b'\\', 1),
            '"' => (b'"', 1),
            'x' => (u8::from_str_radix(escaped.get(1..3)?, 16).ok()?, 3),
            _ => return None,
        };
        bytes.push(byte);
        rest = &escaped[size..];
    }
    bytes.extend(rest.bytes());
    Some(bytes)
}

/// Shows bytes in one line. Long data is shown by its size, its beginning and a hash.
pub(crate) fn show(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN {
        return format!("b\"{}\"", bytes.escape_ascii());
    }
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let beginning = bytes[..20].escape_ascii();
    let hash = hasher.finish();
    format!("{} bytes: b\"{beginning}\" .. {hash:016x}", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_in_python() {
        assert_eq!(parse(r#""""#), b"");
        assert_eq!(
            parse(r#""a\n\r\t\0\\\"\xff\x00 * 2""#),
            b"a\n\r\t\0\\\"\xff\0 * 2"
        );
        assert_eq!(parse(r#""ab" * 3"#), b"ababab");
        for wrong in ["", "a", "\"", r#""\q""#, r#""\x4""#, r#""a" * b"#] {
            assert_eq!(try_parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn long_data_is_shown_shortened() {
        assert_eq!(show(b"it's\n"), "b\"it\\'s\\n\"");
        let (long, other) = (
            show(&[b'x'; 1000]),
            show(&[&[b'x'; 999][..], b"y"].concat()),
        );
        assert!(long.starts_with("1000 bytes: b\"xxx"), "{long}");
        assert_ne!(long, other);
    }
}
