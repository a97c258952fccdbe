//! Escapes text that others have chosen, where it leaves the library for a log or a terminal.
//!
//! A client chooses its Unix address, and often a part of an error message that quotes its input. Without
//! escaping, it could write lines of its own into a log, or send commands to the terminal that shows it.

use std::fmt::{self, Display, Write};

/// Displays a value on one line, without control characters: these are shown as in a Rust literal, for
/// example `\n` and `\u{1b}`. A backslash is not escaped, so that text without control characters, or that
/// is escaped already, stays as it is.
pub(crate) struct Escaped<T>(pub(crate) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Returns bytes as text, escaped as by [`Escaped`]. Bytes that are not UTF-8 are shown as `\xff`.
pub(crate) fn escape_bytes(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_escaped(&mut escaped, chunk.valid());
        for byte in chunk.invalid() {
            escaped += &format!("\\x{byte:02x}");
        }
    }
    escaped
}

fn push_escaped(escaped: &mut String, text: &str) {
    // Writing to a `String` does not fail.
    let _ = Escaping(escaped).write_str(text);
}

/// Writer that escapes.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((index, unsafe_char)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (before, after) = rest.split_at(index);
            self.0.write_str(before)?;
            write!(self.0, "{}", unsafe_char.escape_default())?;
            rest = &after[unsafe_char.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Returns whether a character ends a line, controls a terminal, or reorders the text around it.
fn is_unsafe(c: char) -> bool {
    c.is_control() // C0, DEL and C1
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' // line and paragraph separators
                | '\u{61c}' | '\u{200e}' | '\u{200f}' // marks of direction
                | '\u{202a}'..='\u{202e}' // embeddings and overrides
                | '\u{2066}'..='\u{2069}' // isolates
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_control_are_escaped() {
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let directions = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        let others = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
        for c in controls.chain(directions).chain(others) {
            let escaped = Escaped(format!("a{c}b")).to_string();
            assert_eq!(escaped, format!("a{}b", c.escape_default()));
            assert!(escaped.chars().all(|c| ('\u{20}'..='~').contains(&c)));
            assert_eq!(escape_bytes(format!("a{c}b").as_bytes()), escaped);
        }
        assert_eq!(
            Escaped("\x1b]0;title\x07\r\n\u{9b}2J").to_string(),
            r"\u{1b}]0;title\u{7}\r\n\u{9b}2J"
        );
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in [
            "",
            "no way",
            r#"C:\new "it's""#,
            "żółć 你好 שלום e\u{301} 👩\u{200d}👧",
        ] {
            assert_eq!(Escaped(text).to_string(), text);
            assert_eq!(escape_bytes(text.as_bytes()), text);
        }
    }

    #[test]
    fn invalid_utf_8_is_shown_in_bytes() {
        assert_eq!(escape_bytes(b"a\xff\x9b2J\xe2\x82"), r"a\xff\x9b2J\xe2\x82");
    }
}
