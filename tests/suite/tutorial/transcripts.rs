//! The transcripts.

use std::process::{Command, id};

use super::*;

/// Programs with which a session runs.
#[derive(Clone, Copy, PartialEq)]
enum Programs {
    /// The programs on the page.
    AsWritten,
    /// The Python original of each Rust program.
    Originals,
}

/// A terminal in which a program runs.
struct Terminal {
    program: Program,
    /// Output of the program that was compared with the page.
    checked: String,
    /// Whether the program has printed its prompt and no answer was typed yet.
    prompted: bool,
}

/// A session that runs.
struct SessionRun<'a> {
    session: &'a Session,
    programs: Programs,
    /// Address of the server, if the session has one that is not a Unix socket.
    address: Option<SocketAddr>,
    /// File that stands for `tutorial.sock`.
    socket_file: String,
    terminals: BTreeMap<u32, Terminal>,
    /// Hides text that differs in each run: on the page, and in the output.
    on_page: Hide,
    in_output: Hide,
}

fn play(session: &Session, programs: Programs) {
    println!("{session}"); // shown if the test fails
    let mut run = SessionRun {
        session,
        programs,
        address: None,
        socket_file: socket_file(session.page, programs),
        terminals: BTreeMap::new(),
        on_page: Hide::default(),
        in_output: Hide::default(),
    };
    for excerpt in &session.excerpts {
        run.play(excerpt);
    }
    let open: Vec<_> = run.terminals.keys().collect();
    assert!(open.is_empty(), "programs still run in terminals {open:?}");
}

/// File for the Unix sockets of a page.
fn socket_file(page: &str, programs: Programs) -> String {
    let name = format!("tutorial-{}-{page}-{}.sock", id(), programs as u8);
    let path = std::env::temp_dir().join(name);
    path.into_os_string().into_string().unwrap()
}

/// Removes the files that the sessions have left.
fn remove_socket_files(programs: Programs) {
    for (page, _) in PAGES.iter() {
        let _ = fs::remove_file(socket_file(page, programs));
    }
}

/// Returns what is the same for each user in a line of `ls -l`: the mode and the name.
fn without_owner(line: &str) -> String {
    let mut words = line.split(' ');
    // The mode that a umask of 022 gives, whatever the umask of this process is.
    let mode = match words.next() {
        Some(mode) if mode.starts_with("srwx") => "srwxr-xr-x",
        mode => mode.unwrap_or_default(),
    };
    format!("{mode} {:?}", words.next_back())
}

impl SessionRun<'_> {
    fn play(&mut self, excerpt: &Excerpt) {
        let mut lines = excerpt.lines.iter().copied().peekable();
        while let Some(line) = lines.next() {
            let is_last = lines.peek().is_none();
            if line == "$" {
                self.end(excerpt.terminal);
            } else if let Some(command) = line.strip_prefix("$ ") {
                if self.terminals.contains_key(&excerpt.terminal) {
                    self.end(excerpt.terminal);
                }
                let announced = lines.next_if(|line| line.starts_with("listening on "));
                assert_eq!(announced.is_some(), self.is_server(excerpt.terminal));
                self.start(excerpt.terminal, command, announced);
            } else if excerpt.typed.contains(&line) {
                let program = &mut self.terminal(excerpt.terminal).program;
                program.type_in(format!("{line}\n"));
            } else if let Some(typed) = line.strip_prefix(PROMPT) {
                self.answer(excerpt.terminal, typed, is_last);
            } else if let Some(rest) = line.strip_prefix("^C") {
                self.let_python_accept();
                self.terminal(excerpt.terminal)
                    .program
                    .signal(Signal::SIGINT);
                match rest {
                    "" => {}
                    "$" => self.end(excerpt.terminal),
                    printed => self.expect(excerpt.terminal, printed),
                }
            } else {
                self.expect(excerpt.terminal, line);
            }
        }
    }

    fn terminal(&mut self, terminal: u32) -> &mut Terminal {
        let running = self.terminals.get_mut(&terminal);
        running.unwrap_or_else(|| panic!("nothing runs in terminal {terminal}"))
    }

    fn is_server(&self, terminal: u32) -> bool {
        terminal == 1 && self.session.terminals() > 1
    }

    /// Starts a program. A server gets a free port, and clients get its address.
    fn start(&mut self, terminal: u32, command: &str, announced: Option<&str>) {
        let is_server = announced.is_some();
        let uses_file = |line: &str| line.ends_with(SOCKET_FILE);
        let uses_tls = command.contains(TLS);
        let command = &command.replace(TLS, "");
        let mut words = command.split(' ').map(String::from);
        let mut program: Vec<_> = words.by_ref().take(2).collect();
        if program[0] == "cargo" {
            program.extend(words.by_ref().take(3));
        }
        let mut arguments: Vec<String> = words.collect();
        if is_server {
            let on_file = announced.is_some_and(uses_file);
            let port = "127.0.0.1:0".to_owned();
            arguments.insert(
                0,
                if on_file {
                    self.socket_file.clone()
                } else {
                    port
                },
            );
        } else if command.contains("unix_client") {
            arguments.insert(0, self.socket_file.clone());
        } else if let Some(address) = self.address {
            arguments.retain(|word| word != ADDRESS);
            arguments.insert(0, address.to_string());
        }

        let certificates: &[_] = match (uses_tls, is_server) {
            (false, _) => &[],
            (true, true) => &["server.pem", "server.key"],
            (true, false) => &["authority.pem"],
        };
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/certificates");
        arguments.extend(
            certificates
                .iter()
                .map(|name| format!("{directory}/{name}")),
        );

        let program: Vec<_> = program.iter().map(String::as_str).collect();
        let mut program = match program[..] {
            ["cargo", "run", "-q", "--example", name] => self.start_example(name, &arguments),
            ["cargo", "run", "-q"] => {
                Program::example(self.session.own.trim_end_matches(".rs"), &arguments)
            }
            ["python3", script] => Program::python(script, &arguments),
            ["ls", "-l"] => {
                let mut list = Command::new("ls");
                list.arg("-l").arg(&self.socket_file);
                Program::start(list)
            }
            ["rm", SOCKET_FILE] => {
                let mut remove = Command::new("rm");
                remove.arg(&self.socket_file);
                Program::start(remove)
            }
            _ => panic!("unknown command: {command:?}"),
        };
        let mut checked = String::new();
        if announced.is_some_and(uses_file) {
            checked = program.line() + "\n";
            assert_eq!(checked, format!("listening on {}\n", self.socket_file));
        } else if is_server {
            assert_eq!(announced, Some(ANNOUNCED));
            let on_stderr = announces_on_stderr(command);
            let address = match on_stderr {
                true => program.address_on_stderr(),
                false => program.address(),
            };
            let line = format!("listening on {address}");
            self.in_output.hide(&line);
            self.on_page.hide(ANNOUNCED);
            if !on_stderr {
                checked = line + "\n";
            }
            self.address = Some(address);
        }
        let prompted = false;
        self.terminals.insert(
            terminal,
            Terminal {
                program,
                checked,
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
        match self.programs {
            Programs::AsWritten => Program::example(name, arguments),
            Programs::Originals => Program::python(&original, arguments),
        }
    }

    /// Serves another client, so that a Python server is past the start of the last request's thread. Ctrl-C
    /// during that start would close the connection of the request.
    fn let_python_accept(&self) {
        let is_python = self.programs == Programs::Originals || self.session.runs_python();
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
            terminal.checked += PROMPT;
        }
        terminal.prompted = typed.is_empty() && is_last;
        if !terminal.prompted {
            terminal.program.type_in(format!("{typed}\n"));
        }
    }

    fn expect(&mut self, terminal: u32, line: &str) {
        let running = self.terminal(terminal);
        let printed = running.program.line();
        running.checked += &printed;
        running.checked.push('\n');
        if line.ends_with(SOCKET_FILE) {
            let printed = printed.replace(&self.socket_file, SOCKET_FILE);
            assert_eq!(without_owner(&printed), without_owner(line));
            return;
        }
        assert_eq!(
            self.in_output.hide(&printed),
            self.on_page.hide(line),
            "terminal {terminal}: {printed:?} is not {line:?}"
        );
    }

    /// Waits for the end of the program. All its output must have been compared by now.
    fn end(&mut self, terminal: u32) {
        let ended = self.terminals.remove(&terminal);
        let ended = ended.unwrap_or_else(|| panic!("nothing runs in terminal {terminal}"));
        assert_eq!(ended.program.finish().success(), ended.checked);
    }
}

#[test]
fn the_transcripts_are_true() {
    let has_python = python_is_there();
    for session in sessions() {
        if session.can_run() && (has_python || !session.runs_python()) {
            play(&session, Programs::AsWritten);
        }
    }
    remove_socket_files(Programs::AsWritten);
}

#[test]
fn the_transcripts_are_true_in_python_too() {
    if !python_is_there() {
        return;
    }
    let sessions = sessions();
    let (in_python, in_rust): (Vec<_>, Vec<_>) =
        sessions.iter().partition(|session| session.runs_python());
    for session in in_rust {
        let is_same_section = |python: &&Session| python.section == session.section;
        if session.has_originals() && !in_python.iter().any(is_same_section) {
            play(session, Programs::Originals);
        }
    }
    remove_socket_files(Programs::Originals);
}
