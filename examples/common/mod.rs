//! What several examples need and none is about: the command line, and the way Python prints
//! bytes and times. Its Python twin is `examples/python/common.py`.

#![allow(dead_code)] // No example needs all of it.

use std::fmt::Display;
use std::io::{self, BufRead, Write};

use chrono::Local;
use rustix::process::{Resource, getrlimit, setrlimit};

/// The command line of a server: the address to bind to, or `default`.
pub(crate) fn address(default: &str) -> String {
    std::env::args().nth(1).unwrap_or_else(|| default.into())
}

/// The command line of a client: the server's address, if the first argument is one (has a
/// colon), or `default`; and the arguments after it.
pub(crate) fn address_and_words(default: &str) -> (String, Vec<String>) {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let address = match words.first() {
        Some(first) if first.contains(':') => words.remove(0),
        _ => default.into(),
    };
    (address, words)
}

/// What a client has to say: its words, one after the other; without any, the lines that are
/// typed, until the end of the input.
pub(crate) fn messages(words: Vec<String>) -> Box<dyn Iterator<Item = io::Result<Vec<u8>>>> {
    if words.is_empty() {
        Box::new(io::stdin().lock().split(b'\n'))
    } else {
        Box::new(words.into_iter().map(|word| Ok(word.into_bytes())))
    }
}

/// Prints the address of a server that was asked to pick a port itself, by the port 0.
pub(crate) fn announce(asked: &str, server_address: impl Display) {
    if asked.ends_with(":0") {
        println!("listening on {server_address}");
    }
}

/// Lets this process have as many files and sockets open as it is allowed to, instead of the usual 1024.
/// Returns how many that are.
pub(crate) fn allow_many_sockets() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // It stays as it was, if not.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Prints `prompt` and reads what is typed, up to the end of the line. Empty at the end of the
/// input, too.
pub(crate) fn ask(prompt: &str) -> io::Result<Vec<u8>> {
    print!("{prompt}");
    io::stdout().flush()?;
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
    }
    Ok(line)
}

/// The data and the time: `[data] Sun Jun 20 23:21:05 1993`.
pub(crate) fn with_ctime(data: &[u8]) -> Vec<u8> {
    [b"[", data, b"] ", ctime().as_bytes()].concat()
}

/// The local time, as Python's `time.ctime()` writes it.
pub(crate) fn ctime() -> String {
    Local::now().format("%a %b %e %H:%M:%S %Y").to_string()
}

/// Bytes as Python prints them: `b'it is \xc3\xa9\n'`.
pub(crate) fn repr(data: &[u8]) -> String {
    let quote = match data.contains(&b'\'') && !data.contains(&b'"') {
        true => '"',
        false => '\'',
    };
    let mut text = format!("b{quote}");
    for &byte in data {
        match byte {
            b'\t' => text += "\\t",
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\\' => text += "\\\\",
            b'\'' if quote == '\'' => text += "\\'",
            b' '..=b'~' => text.push(byte.into()),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    text.push(quote);
    text
}
