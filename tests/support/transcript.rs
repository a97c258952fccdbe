//! Makes what programs print comparable.

use std::collections::HashMap;

use chrono::NaiveDateTime;

/// Whether a transcript of `docs/tutorial.md` runs this example. `tests/tutorial.rs` runs all of
/// these, both in Rust and in Python if there is an original.
pub(crate) fn is_run_by_the_tutorial(name: &str) -> bool {
    include_str!("../../docs/tutorial.md")
        .lines()
        .filter_map(|line| line.strip_prefix("$ cargo run -q --example "))
        .any(|command| command.split(' ').next() == Some(name))
        || name == "tutorial_own" // there it is just `cargo run -q`
}

/// Returns whether a program, or the command that starts it, prints its address on standard error.
/// The servers of the original tutorial do, so that standard output has only the original's lines.
pub(crate) fn announces_on_stderr(command: &str) -> bool {
    command.contains("binary_tcp_server_v")
}

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

/// Replaces what is different in each run, or in each language, by what it has in common: times, and
/// numbers in the order in which they are first seen, so that what was the same stays the same.
#[derive(Default)]
pub(crate) struct Hide {
    seen: HashMap<&'static str, Vec<String>>,
}

impl Hide {
    /// What a number that means nothing comes after.
    const BEFORE_NUMBERS: [&'static str; 3] = ["127.0.0.1:", "descriptor ", "process "];

    /// How the names of threads begin that a server has started: ours, and Python's.
    const THREADS: [&'static str; 3] = ["socketserver-", "Thread-", "ThreadPoolExecutor-"];

    pub(crate) fn hide(&mut self, line: &str) -> String {
        let mut hidden = self.hide_thread(&hide_ctime(line));
        for before in Self::BEFORE_NUMBERS {
            hidden = self.hide_numbers(&hidden, before);
        }
        hidden
    }

    /// The thread that a line begins with: `main: ...`, `socketserver-1: ...`.
    fn hide_thread(&mut self, line: &str) -> String {
        match line.split_once(": ") {
            Some(("main" | "MainThread", rest)) => format!("<main thread>: {rest}"),
            Some((name, rest)) if Self::THREADS.iter().any(|start| name.starts_with(start)) => {
                format!("<thread {}>: {rest}", self.place("thread", name))
            }
            _ => line.into(),
        }
    }

    fn hide_numbers(&mut self, line: &str, before: &'static str) -> String {
        let mut pieces = line.split(before);
        let mut hidden = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at(digits);
            hidden += &format!("{before}<{}>{rest}", self.place(before, number));
        }
        hidden
    }

    /// Which of its kind this is.
    fn place(&mut self, kind: &'static str, what: &str) -> usize {
        let seen = self.seen.entry(kind).or_default();
        let place = seen.iter().position(|other| other == what);
        place.unwrap_or_else(|| {
            seen.push(what.into());
            seen.len() - 1
        })
    }
}
