//! The transcripts.

use super::*;

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
            let on_stderr = announces_on_stderr(command);
            let address = match on_stderr {
                true => program.address_on_stderr(),
                false => program.address(),
            };
            let line = format!("listening on {address}");
            self.in_fact.hide(&line);
            self.on_page.hide(ANNOUNCED);
            if !on_stderr {
                told = line + "\n";
            }
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
