//! The pages of the tutorial. Makes the output of different runs comparable.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use chrono::NaiveDateTime;

/// Names and texts of the pages of `docs/tutorial`, in their order.
pub(crate) static PAGES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial");
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    pages.sort();
    pages
});

/// Returns whether a transcript of `docs/tutorial` runs this example. `tests/suite/tutorial` runs all of these in
/// Rust, and in Python if there is an original.
pub(crate) fn is_run_by_the_tutorial(name: &str) -> bool {
    PAGES
        .iter()
        .flat_map(|(_, page)| page.lines())
        .filter_map(|line| line.strip_prefix("$ cargo run -q "))
        .filter_map(|line| {
            let line = line.strip_prefix("--features tls ").unwrap_or(line);
            line.strip_prefix("--example ")
        })
        .any(|command| command.split(' ').next() == Some(name))
        || ["tutorial_own", "tutorial_ready"].contains(&name) // The tutorial runs them by `cargo run -q` alone.
}

/// Returns whether a program, or the command that starts it, prints its address on standard error.
/// The servers of the original tutorial do, so that their standard output has only the lines of the original.
pub(crate) fn announces_on_stderr(command: &str) -> bool {
    command.contains("binary_tcp_server_v")
}

/// Format and length of a time that `ctime()` writes.
const CTIME: &str = "%a %b %e %H:%M:%S %Y";
const CTIME_LENGTH: usize = 24;

/// Reads a time in exactly the format of `ctime()`.
pub(crate) fn parse_ctime(text: &str) -> Option<NaiveDateTime> {
    let time = NaiveDateTime::parse_from_str(text, CTIME).ok()?;
    (time.format(CTIME).to_string() == text).then_some(time)
}

/// Replaces every time in the format of `ctime()` by `<ctime>`.
pub(crate) fn hide_ctime(text: &str) -> String {
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_time = rest.get(..CTIME_LENGTH).and_then(parse_ctime).is_some();
        hidden.push_str(if is_time {
            "<ctime>"
        } else {
            &rest[..next.len_utf8()]
        });
        rest = &rest[if is_time {
            CTIME_LENGTH
        } else {
            next.len_utf8()
        }..];
    }
    hidden
}

/// Replaces times, ports, descriptors, process ids and thread names by placeholders, because they differ between runs
/// and languages. Each distinct number or name gets an index in the order of its first occurrence, so equal ones stay
/// equal.
#[derive(Default)]
pub(crate) struct Hide {
    seen: HashMap<&'static str, Vec<String>>,
}

impl Hide {
    /// Texts before numbers that differ between runs.
    const BEFORE_NUMBERS: [&'static str; 5] = [
        "127.0.0.1:",
        "descriptor ",
        "process ",
        "datagrams received: ",
        "has number ",
    ];

    /// Beginnings of the names of a server's threads: this crate's, and Python's.
    const THREADS: [&'static str; 3] = ["socketserver-", "Thread-", "ThreadPoolExecutor-"];

    pub(crate) fn hide(&mut self, line: &str) -> String {
        let mut hidden = self.hide_thread(&hide_ctime(line));
        for before in Self::BEFORE_NUMBERS {
            hidden = self.hide_numbers(&hidden, before);
        }
        hidden
    }

    /// Replaces the thread name at the start of a line: `main: ...`, `socketserver-1: ...`.
    fn hide_thread(&mut self, line: &str) -> String {
        match line.split_once(": ") {
            Some(("main" | "MainThread", rest)) => format!("<main thread>: {rest}"),
            Some((name, rest)) if Self::THREADS.iter().any(|start| name.starts_with(start)) => {
                format!("<thread {}>: {rest}", self.index("thread", name))
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
            hidden += &format!("{before}<{}>{rest}", self.index(before, number));
        }
        hidden
    }

    /// Index of `value` among the distinct values of its kind.
    fn index(&mut self, kind: &'static str, value: &str) -> usize {
        let seen = self.seen.entry(kind).or_default();
        let index = seen.iter().position(|other| other == value);
        index.unwrap_or_else(|| {
            seen.push(value.into());
            seen.len() - 1
        })
    }
}
