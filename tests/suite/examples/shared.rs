//! The code that the examples share.

use super::*;

#[test]
fn bytes_are_shown_as_in_python() {
    assert_eq!(common::repr(b""), "b''");
    assert_eq!(common::repr(b"it's"), "b\"it's\"");
    assert_eq!(common::repr(b"\"it's\""), "b'\"it\\'s\"'");
    assert_eq!(common::repr(b"\t\n\r\\~"), "b'\\t\\n\\r\\\\~'");
    assert_eq!(common::repr(b"\0\x1f\x7f\xff"), "b'\\x00\\x1f\\x7f\\xff'");
}

#[test]
fn ctime_pads_the_day_with_a_space() {
    assert!(parse_ctime(&common::ctime()).is_some());
    assert!(parse_ctime("Sun Jun 20 23:21:05 1993").is_some());
    assert!(parse_ctime("Thu Jul  1 03:02:01 1993").is_some());
    assert!(parse_ctime("Thu Jul 01 03:02:01 1993").is_none());
}
