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

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

use crate::support::net::{Client, own_loopback};
use crate::support::process::{Program, python_is_there};
use crate::support::transcript::Hide;
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

const PAGE: &str = include_str!("../../docs/tutorial.md");

/// Where the servers of the page listen; those of this test have ports of their own.
const ADDRESS: &str = "localhost:6969";
/// What they print there.
const ANNOUNCED: &str = "listening on 127.0.0.1:6969";
const PROMPT: &str = ">>:";

/// The file of what is, on the page, a program of the reader's own: `cargo run` runs it.
const OWN: &str = "tutorial_own.rs";

// ---- what is on the page ----

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

// ---- the programs ----

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A program without the comment on top, which tells how to run it: the page does that itself.
fn without_comment(source: &str) -> &str {
    let program = match source.strip_prefix("\"\"\"") {
        Some(comment) => comment.split_once("\"\"\"\n").expect("its end").1,
        None => {
            let lines = source.split_inclusive('\n');
            let comment = lines.take_while(|line| line.starts_with("//!"));
            &source[comment.map(str::len).sum()..]
        }
    };
    program.trim_start()
}

/// A program that the page names, as the page shows it.
fn program(name: &str) -> String {
    let path = examples().join(name);
    let source = fs::read_to_string(&path);
    let source = source.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    without_comment(&source).to_owned()
}

/// The names in "`examples/NAME`:" or "From `examples/ONE` to `examples/OTHER`:".
fn names(label: &str) -> Vec<&str> {
    let quoted = label.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|path| path.strip_prefix("examples/"))
        .collect()
}

fn lines_without(other_side: char, hunk: &[&str]) -> String {
    let lines = hunk.iter().filter(|line| !line.starts_with(other_side));
    lines.fold(String::new(), |text, line| {
        text + line.get(1..).unwrap_or_default() + "\n"
    })
}

/// Applies what a `diff` block says.
fn patch(mut program: String, block: &Block) -> String {
    for hunk in block.lines.split(|&line| line == "...") {
        let old = lines_without('+', hunk);
        assert_eq!(program.matches(&old).count(), 1, "not there once:\n{old}");
        program = program.replace(&old, &lines_without('-', hunk));
    }
    program
}

#[test]
fn the_programs_on_the_page_are_the_files() {
    for block in blocks() {
        println!("docs/tutorial.md:{}", block.line_number); // seen if it fails
        let names = names(block.label);
        match block.language {
            "python" | "rust" | "rust,ignore" | "rust,no_run" => {
                let is_own = names == [OWN];
                let place = if is_own {
                    "`src/main.rs`, in the clone "
                } else {
                    ""
                };
                assert_eq!(block.label, format!("{place}`examples/{}`:", names[0]));
                assert_eq!(block.lines.join("\n") + "\n", program(names[0]));
            }
            "diff" => assert_eq!(patch(program(names[0]), &block), program(names[1])),
            "console" | "sh" | "text" | "toml" => {}
            other => panic!("nobody looks at blocks of {other:?}"),
        }
    }
}

#[test]
fn the_page_shows_every_program_that_was_written_for_it() {
    let shown: Vec<_> = blocks()
        .iter()
        .filter_map(|block| names(block.label).pop())
        .collect();
    for directory in [examples(), examples().join("python")] {
        for file in fs::read_dir(&directory).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(examples()).unwrap().to_str().unwrap();
            if name.contains("tutorial_") && path.is_file() {
                assert!(shown.contains(&name), "docs/tutorial.md lacks {name}");
            }
        }
    }
}

/// Runs a program that fails: what it prints, at the address of the page.
fn complaint(name: &str, address: SocketAddr) -> String {
    let failed = Program::example(name, &[address.to_string()]).finish();
    assert_eq!(failed.status.code(), Some(1), "{name}");
    assert_eq!(failed.stdout, b"", "{name}");
    failed
        .stderr
        .replace(&address.to_string(), "127.0.0.1:6969")
}

#[test]
fn the_errors_on_the_page_are_those_of_the_programs() {
    let blocks = blocks();
    let mut errors = blocks.iter().filter(|block| block.language == "text");
    let mut next_is = |error: String| {
        let block = errors.next().expect("an error on the page");
        assert_eq!(block.lines.join("\n") + "\n", error);
    };

    let listener = TcpListener::bind(own_loopback()).unwrap();
    next_is(complaint(
        "tutorial_handler_v2",
        listener.local_addr().unwrap(),
    ));

    // It has the port, so that nobody else gets it, and does not listen.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&own_loopback().into()).unwrap();
    let nobody = socket.local_addr().unwrap().as_socket().unwrap();
    let refused = complaint("binary_tcp_client_v2", nobody);
    assert_eq!(complaint("binary_tcp_client_v1", nobody), refused);
    // Connected to itself, it gets nothing from others: to them, nobody has the port.
    let socket = UdpSocket::bind(own_loopback()).unwrap();
    let nobody = socket.local_addr().unwrap();
    socket.connect(nobody).unwrap();
    assert_eq!(complaint("udp_client", nobody), refused);
    next_is(refused);
    assert!(errors.next().is_none(), "an error that nobody looks at");
}

// ---- the transcripts ----

#[derive(Clone, Copy, PartialEq)]
enum Cast {
    /// What the page says.
    AsWritten,
    /// In place of each Rust program, its Python original.
    Originals,
}

/// A terminal in which a program runs.
struct Terminal {
    program: Program,
    /// All that it has printed and the page has told.
    told: String,
    /// It has printed its prompt, and nothing was typed yet.
    prompted: bool,
}

/// A story while it is told.
struct Stage<'a> {
    story: &'a Story,
    cast: Cast,
    /// Where the server listens, if there is one.
    address: Option<SocketAddr>,
    terminals: BTreeMap<u32, Terminal>,
    /// What the page must not be taken at its word for.
    on_page: Hide,
    in_fact: Hide,
}

fn play(story: &Story, cast: Cast) {
    println!("{story}"); // seen if it fails
    let mut stage = Stage {
        story,
        cast,
        address: None,
        terminals: BTreeMap::new(),
        on_page: Hide::default(),
        in_fact: Hide::default(),
    };
    for scene in &story.scenes {
        stage.play(scene);
    }
    let open: Vec<_> = stage.terminals.keys().collect();
    assert!(open.is_empty(), "programs run on in terminals {open:?}");
}

impl Stage<'_> {
    fn play(&mut self, scene: &Scene) {
        let mut lines = scene.lines.iter().copied().peekable();
        while let Some(line) = lines.next() {
            let is_last = lines.peek().is_none();
            if line == "$" {
                self.end(scene.terminal);
            } else if let Some(command) = line.strip_prefix("$ ") {
                if self.terminals.contains_key(&scene.terminal) {
                    self.end(scene.terminal);
                }
                self.start(scene.terminal, command);
                if self.is_server(scene.terminal) {
                    assert_eq!(lines.next(), Some(ANNOUNCED));
                }
            } else if let Some(typed) = line.strip_prefix(PROMPT) {
                self.answer(scene.terminal, typed, is_last);
            } else if let Some(rest) = line.strip_prefix("^C") {
                self.let_python_accept();
                self.terminal(scene.terminal).program.signal(Signal::SIGINT);
                match rest {
                    "" => {}
                    "$" => self.end(scene.terminal),
                    printed => self.expect(scene.terminal, printed),
                }
            } else {
                self.expect(scene.terminal, line);
            }
        }
    }

    fn terminal(&mut self, terminal: u32) -> &mut Terminal {
        let there = self.terminals.get_mut(&terminal);
        there.unwrap_or_else(|| panic!("nothing runs in terminal {terminal}"))
    }

    fn is_server(&self, terminal: u32) -> bool {
        terminal == 1 && self.story.terminals() > 1
    }

    /// Starts a program. A server gets a free port, its clients are told which.
    fn start(&mut self, terminal: u32, command: &str) {
        let is_server = self.is_server(terminal);
        let mut words = command.split(' ').map(String::from);
        let mut program: Vec<_> = words.by_ref().take(2).collect();
        if program[0] == "cargo" {
            program.extend(words.by_ref().take(3));
        }
        let mut arguments: Vec<String> = words.collect();
        if is_server {
            arguments.insert(0, "127.0.0.1:0".into());
        } else if let Some(address) = self.address {
            arguments.retain(|word| word != ADDRESS);
            arguments.insert(0, address.to_string());
        }

        let program: Vec<_> = program.iter().map(String::as_str).collect();
        let mut program = match program[..] {
            ["cargo", "run", "-q", "--example", name] => self.start_example(name, &arguments),
            ["cargo", "run", "-q"] => Program::example(OWN.trim_end_matches(".rs"), &arguments),
            ["python3", script] => Program::python(script, &arguments),
            _ => panic!("what is {command:?}?"),
        };
        let mut told = String::new();
        if is_server {
            let address = program.address();
            let line = format!("listening on {address}");
            self.in_fact.hide(&line);
            self.on_page.hide(ANNOUNCED);
            told = line + "\n";
            self.address = Some(address);
        }
        let prompted = false;
        self.terminals.insert(
            terminal,
            Terminal {
                program,
                told,
                prompted,
            },
        );
    }

    fn start_example(&self, name: &str, arguments: &[String]) -> Program {
        let original = format!("examples/python/{name}.py");
        let has_original = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(&original)
            .exists();
        assert!(has_original, "{original} is missing");
        match self.cast {
            Cast::AsWritten => Program::example(name, arguments),
            Cast::Originals => Program::python(&original, arguments),
        }
    }

    /// Ctrl-C in a Python server that has started a request's thread, and has not yet gone on, closes
    /// that request's connection. When it has served another client, it has gone on.
    fn let_python_accept(&self) {
        let is_python = self.cast == Cast::Originals || self.story.runs_python();
        let has_clients = self.terminals.len() > 1;
        if let Some(address) = self.address.filter(|_| is_python && has_clients) {
            let other = Client::new(TcpStream::connect(address).unwrap());
            other.finish();
            other.expect_end();
        }
    }

    /// Waits for the prompt and types the answer.
    fn answer(&mut self, terminal: u32, typed: &str, is_last: bool) {
        let terminal = self.terminal(terminal);
        if !terminal.prompted {
            terminal.program.expect(PROMPT);
            terminal.told += PROMPT;
        }
        terminal.prompted = typed.is_empty() && is_last;
        if !terminal.prompted {
            terminal.program.type_in(format!("{typed}\n"));
        }
    }

    fn expect(&mut self, terminal: u32, line: &str) {
        let there = self.terminal(terminal);
        let printed = there.program.line();
        there.told += &printed;
        there.told.push('\n');
        assert_eq!(
            self.in_fact.hide(&printed),
            self.on_page.hide(line),
            "terminal {terminal}: {printed:?} is not {line:?}"
        );
    }

    /// Waits for the end of the program, which must have told everything by now.
    fn end(&mut self, terminal: u32) {
        let ended = self.terminals.remove(&terminal);
        let ended = ended.unwrap_or_else(|| panic!("nothing runs in terminal {terminal}"));
        assert_eq!(ended.program.finish().success(), ended.told);
    }
}

#[test]
fn what_the_page_tells_happens() {
    let has_python = python_is_there();
    for story in stories() {
        if has_python || !story.runs_python() {
            play(&story, Cast::AsWritten);
        }
    }
}

#[test]
fn what_the_page_tells_happens_in_python_too() {
    if !python_is_there() {
        return;
    }
    let stories = stories();
    let (in_python, in_rust): (Vec<_>, Vec<_>) =
        stories.iter().partition(|story| story.runs_python());
    for story in in_rust {
        let told = |python: &&Story| python.section == story.section;
        if story.is_of_examples() && !in_python.iter().any(told) {
            play(story, Cast::Originals);
        }
    }
}
