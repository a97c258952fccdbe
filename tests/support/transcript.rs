//! Makes what programs print comparable.

use chrono::NaiveDateTime;

/// How `ctime()` writes a time, and how long that is.
const CTIME: &str = "%a %b %e %H:%M:%S %Y";
const CTIME_LENGTH: usize = 24;

/// Reads a time that `ctime()` has written; it must be exactly in its form.
pub(crate) fn parse_ctime(text: &str) -> Option<NaiveDateTime> {
    let time = NaiveDateTime::parse_from_str(text, CTIME).ok()?;
    (time.format(CTIME).to_string() == text).then_some(time)
}

/// Replaces every time that `ctime()` has written by `<ctime>`.
pub(crate) fn hide_ctime(text: &str) -> String {
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let there = rest.get(..CTIME_LENGTH).and_then(parse_ctime).is_some();
        hidden.push_str(if there {
            "<ctime>"
        } else {
            &rest[..next.len_utf8()]
        });
        rest = &rest[if there { CTIME_LENGTH } else { next.len_utf8() }..];
    }
    hidden
}
