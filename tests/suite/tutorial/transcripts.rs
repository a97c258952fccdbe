//! The transcripts.

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
    /// Address of the server, if the session has one.
    address: Option<SocketAddr>,
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
                self.start(excerpt.terminal, command);
                if self.is_server(excerpt.terminal) {
                    assert_eq!(lines.next(), Some(ANNOUNCED));
                }
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
            _ => panic!("unknown command: {command:?}"),
        };
        let mut checked = String::new();
        if is_server {
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
        if has_python || !session.runs_python() {
            play(&session, Programs::AsWritten);
        }
    }
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
}
