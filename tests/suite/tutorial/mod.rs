//! Checks `docs/tutorial`: the programs on its pages are the files of `examples/`, and running them prints
//! their transcripts, in the order of the pages.
//!
//! Format of a transcript:
//!
//! - The line above a block names the terminal: `Terminal 2:`. A later block of the same terminal
//!   continues the last one.
//! - `$ COMMAND` starts a program. `$` is the shell's prompt: the earlier program in this terminal, if any,
//!   has ended without an error, and has printed nothing else.
//! - `>>:text` is the prompt of a client, followed by typed text. At the end of a block, `>>:` is only the
//!   prompt; the next block repeats it, with the typed text.
//! - `^C` is typed too. The rest of its line is printed after it.
//! - The label names the typed lines of a program without a prompt: "Terminal 2 (you type `hello`):".
//! - All other lines are printed.
//!
//! A session begins with a command in terminal 1. This program is the server, unless the session has no
//! other terminal. Each session of Rust programs also runs with their Python originals, unless its section
//! has a session that runs Python itself, or it runs the reader's own program, which has no original.
//!
//! The servers on a Unix socket have the file `tutorial.sock` on the page, and a file of their own here. All sessions
//! of a page use one file, which `ls` and `rm` may name.
//!
//! The programs with TLS have the files `cert.pem` and `key.pem` on the page, and get those of `tests/support/certificates`
//! as their last arguments here.
//!
//! `text` blocks are the errors of programs that cannot start, and of tests that fail.

/// The reader's own program with its tests, as the page about testing has it.
#[allow(dead_code, reason = "its `main` is not called")]
mod greeter;
mod programs;
mod transcripts;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

use crate::support::net::{Client, own_loopback};
use crate::support::process::{Program, python_is_there};
use crate::support::transcript::{Hide, PAGES, announces_on_stderr};

/// Address of the servers on the page. The servers of this test have ports of their own.
const ADDRESS: &str = "localhost:6969";

/// First line of each server, on standard output or (`announces_on_stderr`) on standard error.
const ANNOUNCED: &str = "listening on 127.0.0.1:6969";

const PROMPT: &str = ">>:";

/// File of the servers on a Unix socket.
const SOCKET_FILE: &str = "tutorial.sock";

/// Argument with which `cargo` builds the programs that need TLS. Their certificate is that of these tests.
const TLS: &str = "--features tls ";

/// Files with the program that is, on the page, the reader's own, and that `cargo run` starts: the last of them that
/// the page shows.
const OWN: [&str; 2] = ["tutorial_own.rs", "tutorial_ready.rs"];

/// A fenced block of a page.
struct Block {
    /// Name of the page below `docs/tutorial`.
    page: &'static str,
    /// The heading of the chapter.
    section: &'static str,
    /// The line above the block.
    label: &'static str,
    language: &'static str,
    lines: Vec<&'static str>,
    /// Line of the page in which the block begins.
    line_number: usize,
}

impl Block {
    fn place(&self) -> String {
        format!("docs/tutorial/{}:{}", self.page, self.line_number)
    }
}

/// Returns the blocks of all pages, in the order of the pages.
fn blocks() -> Vec<Block> {
    PAGES
        .iter()
        .flat_map(|(page, text)| blocks_of(page, text))
        .collect()
}

fn blocks_of(page: &'static str, text: &'static str) -> Vec<Block> {
    let (mut section, mut label) = ("", "");
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line_number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let lines = lines.by_ref().map(|(_, line)| line);
            let lines = lines.take_while(|&line| line != "```").collect();
            blocks.push(Block {
                page,
                section,
                label,
                language,
                lines,
                line_number,
            });
        } else if let Some(heading) = line.strip_prefix("# ") {
            section = heading;
        } else if !line.is_empty() {
            label = line;
        }
    }
    blocks
}

/// Transcripts from one command in terminal 1 up to the next.
struct Session {
    section: &'static str,
    /// Page and line in which the session begins, for messages.
    place: String,
    page: &'static str,
    /// Program that `cargo run` starts.
    own: &'static str,
    excerpts: Vec<Excerpt>,
}

/// Consecutive lines of one terminal.
struct Excerpt {
    terminal: u32,
    /// Lines that are typed although no program has printed a prompt.
    typed: Vec<&'static str>,
    lines: Vec<&'static str>,
}

impl Session {
    fn terminals(&self) -> usize {
        let mut terminals: Vec<_> = self
            .excerpts
            .iter()
            .map(|excerpt| excerpt.terminal)
            .collect();
        terminals.sort_unstable();
        terminals.dedup();
        terminals.len()
    }

    fn commands(&self) -> impl Iterator<Item = &str> {
        let lines = self.excerpts.iter().flat_map(|excerpt| &excerpt.lines);
        lines.filter_map(|line| line.strip_prefix("$ "))
    }

    fn runs_python(&self) -> bool {
        self.commands()
            .any(|command| command.starts_with("python3"))
    }

    /// Returns whether its programs were built with the features of these tests.
    fn can_run(&self) -> bool {
        cfg!(feature = "tls") || !self.commands().any(|command| command.contains(TLS))
    }

    /// Returns whether each program has a Python original.
    fn has_originals(&self) -> bool {
        self.commands().all(|command| command != "cargo run -q")
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}", self.section, self.place)
    }
}

fn sessions() -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut own = OWN[0];
    for block in blocks() {
        // A label that names both leads from the first to the second.
        let is_named = |name: &&&str| block.label.contains(&format!("`examples/{name}`"));
        if let Some(shown) = OWN.iter().rfind(is_named) {
            own = shown;
        }
        if block.language != "console" {
            continue;
        }
        let place = block.place();
        let terminal = block.label.strip_prefix("Terminal ").and_then(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest[..digits].parse().ok()
        });
        let terminal = terminal.unwrap_or_else(|| panic!("{place}: no terminal is named"));
        if terminal == 1 && block.lines[0].starts_with("$ ") {
            sessions.push(Session {
                section: block.section,
                place,
                page: block.page,
                own,
                excerpts: Vec::new(),
            });
        }
        let session = sessions.last_mut().expect("a session begins in terminal 1");
        session.excerpts.push(Excerpt {
            terminal,
            typed: block.label.split('`').skip(1).step_by(2).collect(),
            lines: block.lines,
        });
    }
    sessions
}
