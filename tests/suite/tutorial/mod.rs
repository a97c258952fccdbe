//! `docs/tutorial.md` is true: the programs that it shows are the files of `examples/`, and its
//! transcripts are what really happens in the terminals, in the order in which the page tells it.
//!
//! How a transcript is read:
//!
//! - The line above a block names the terminal: `Terminal 2:`. A later block of the same terminal
//!   goes on where the last one ended.
//! - `$ COMMAND` starts a program. `$` is the shell's prompt: the program before, if there was one,
//!   has ended, without an error, and has printed nothing else.
//! - `>>:text` is the prompt of a client, and what is typed there. At the end of a block, `>>:` is the
//!   prompt alone; the next block repeats it, with what is typed.
//! - `^C` is typed too; what follows in the line is printed after it.
//! - Everything else is printed.
//!
//! A story begins with a command in terminal 1: the server, unless there is only this terminal. Each
//! story of Rust programs is played by their Python originals too, unless its section has one
//! that runs Python itself, or it is about the reader's own program, which has none.
//!
//! `text` blocks are the errors of programs that cannot start.

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
use crate::support::transcript::{Hide, announces_on_stderr};

const PAGE: &str = include_str!("../../../docs/tutorial.md");

/// Where the servers of the page listen; those of this test have ports of their own.
const ADDRESS: &str = "localhost:6969";

/// First line of each server, on standard output or (`announces_on_stderr`) on standard error.
const ANNOUNCED: &str = "listening on 127.0.0.1:6969";

const PROMPT: &str = ">>:";

/// The file of what is, on the page, a program of the reader's own: `cargo run` runs it.
const OWN: &str = "tutorial_own.rs";

/// A fenced block.
struct Block {
    /// The heading that it stands under.
    section: &'static str,
    /// The line above it.
    label: &'static str,
    language: &'static str,
    lines: Vec<&'static str>,
    /// Where it begins on the page.
    line_number: usize,
}

fn blocks() -> Vec<Block> {
    let (mut section, mut label) = ("", "");
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(PAGE.lines());
    while let Some((line_number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let lines = lines.by_ref().map(|(_, line)| line);
            let lines = lines.take_while(|&line| line != "```").collect();
            blocks.push(Block {
                section,
                label,
                language,
                lines,
                line_number,
            });
        } else if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        } else if !line.is_empty() {
            label = line;
        }
    }
    blocks
}

/// Transcripts that belong together: from a command in terminal 1 up to the next.
struct Story {
    section: &'static str,
    /// For messages.
    line_number: usize,
    scenes: Vec<Scene>,
}

/// What happens in one terminal before the page looks at another.
struct Scene {
    terminal: u32,
    lines: Vec<&'static str>,
}

impl Story {
    fn terminals(&self) -> usize {
        let mut terminals: Vec<_> = self.scenes.iter().map(|scene| scene.terminal).collect();
        terminals.sort_unstable();
        terminals.dedup();
        terminals.len()
    }

    fn commands(&self) -> impl Iterator<Item = &str> {
        let lines = self.scenes.iter().flat_map(|scene| &scene.lines);
        lines.filter_map(|line| line.strip_prefix("$ "))
    }

    fn runs_python(&self) -> bool {
        self.commands()
            .any(|command| command.starts_with("python3"))
    }

    /// Whether there is an original in Python of each of its programs.
    fn is_of_examples(&self) -> bool {
        self.commands().all(|command| command != "cargo run -q")
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (section, line) = (self.section, self.line_number);
        write!(f, "{section:?}, docs/tutorial.md:{line}")
    }
}

fn stories() -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for block in blocks() {
        if block.language != "console" {
            continue;
        }
        let line_number = block.line_number;
        let terminal = block.label.strip_prefix("Terminal ").and_then(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest[..digits].parse().ok()
        });
        let terminal = terminal.unwrap_or_else(|| panic!("{line_number}: which terminal is it?"));
        if terminal == 1 && block.lines[0].starts_with("$ ") {
            stories.push(Story {
                section: block.section,
                line_number,
                scenes: Vec::new(),
            });
        }
        let story = stories.last_mut().expect("terminal 1 is the first");
        story.scenes.push(Scene {
            terminal,
            lines: block.lines,
        });
    }
    stories
}
