//! Plays a script to a server.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{PAIRS, literal, output, server};
use crate::differential::client::{self, ServerAt};
use crate::differential::script::{Script, Seen, Step};
use crate::support::alone::command;
use crate::support::net::{Client, TempDir, own_loopback};
use crate::support::process::{Finished, Program, python};

/// What a server begins with, followed by its kind and its address.
pub(crate) const LISTENING: &str = "listening on ";

/// What is seen where a client has waited in vain.
const STUCK: &str = "(nothing)";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Language {
    Python,
    Rust,
}

/// Starts the server of a pair and takes each step of the script: what was seen.
pub(crate) fn play(
    script: &Script,
    language: Language,
    pair: &str,
    strategy: Option<&str>,
) -> Vec<Seen> {
    let mut play = Play::start(language, pair, strategy);
    let mut transcript = Vec::new();
    for step in &script.steps {
        let seen = play.take(step);
        if seen.iter().any(|line| line.ends_with(STUCK)) {
            let (what, step) = (play.what, step.text());
            panic!(
                "{what}: {step}: nothing happens for a long time: {:?}",
                play.server
            );
        }
        transcript.push(play.name_addresses(seen));
    }
    transcript
}

struct Play {
    what: String,
    language: Language,
    /// While it runs.
    server: Option<Program>,
    /// What is left of it after that.
    finished: Option<Finished>,
    at: ServerAt,
    /// What the server printed before it said where it is: not its own.
    preamble: usize,
    clients: BTreeMap<String, Client>,
    /// What addresses are replaced by.
    names: Vec<(String, String)>,
    dir: TempDir,
}

impl Play {
    fn start(language: Language, pair: &str, strategy: Option<&str>) -> Self {
        let dir = TempDir::new();
        let mut command = match language {
            Language::Python => {
                let mut command = python(&format!("tests/suite/differential/pairs/{pair}.py"));
                let helper = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/differential");
                command.env("PYTHONPATH", helper);
                command
            }
            Language::Rust => command(&format!("{PAIRS}::{pair}::compare")),
        };
        command.env(server::HOST, own_loopback().ip().to_string());
        command.env(server::PATH, dir.socket());
        if let Some(strategy) = strategy {
            command.env(server::STRATEGY, strategy);
        }
        let mut program = Program::start(command);
        let mut preamble = 0;
        let at = loop {
            let line = program.line();
            preamble += line.len() + 1;
            if let Some(announced) = line.strip_prefix(LISTENING) {
                break ServerAt::parse(announced)
                    .unwrap_or_else(|| panic!("{line:?} is no address: {program:?}"));
            }
        };
        Self {
            language,
            what: format!("{language:?} server of the pair {pair}"),
            names: at.names().map(|name| (name, "<server>".into())).into(),
            server: Some(program),
            finished: None,
            at,
            preamble,
            clients: BTreeMap::new(),
            dir,
        }
    }

    fn take(&mut self, step: &Step) -> Seen {
        let argument = step.argument.as_str();
        match (step.who.as_str(), step.verb.as_str()) {
            ("server", "stdout") => self.stdout(),
            ("server", "stderr") => self.stderr(),
            ("server", verb) => vec![self.steer(verb, argument)],
            (name, "connect") => vec![self.connect(name, argument)],
            (name, "close") => {
                self.leave(name);
                vec!["closed".into()]
            }
            (name, "reset") => {
                let client = self.leave(name);
                let now = Some(Duration::ZERO);
                client.socket().set_linger(now).expect("a linger time");
                vec!["closed".into()]
            }
            (_, "send") => {
                let data = self.with_addresses(&literal::parse(argument));
                vec![outcome("sent", self.client(step).try_send(data))]
            }
            (_, verb) => vec![self.converse(step, verb, argument)],
        }
    }

    /// A step that concerns only its client.
    fn converse(&self, step: &Step, verb: &str, argument: &str) -> String {
        let client = self.client(step);
        let shown = |data: io::Result<Vec<u8>>| match data {
            Ok(data) => self.show(&data),
            Err(error) => refused(&error),
        };
        match verb {
            "line" => shown(client::line(client)),
            "recv" => shown(client::recv(client, argument.parse().expect("recv SIZE"))),
            "eof" => {
                let (data, end) = client::rest(client);
                format!("{} {}", self.show(&data), outcome("end", end))
            }
            "packet" => shown(client.try_receive()),
            "until" => {
                let last = literal::parse(argument);
                let mut packets = Vec::new();
                loop {
                    let packet = client.try_receive();
                    let done = !packet.as_ref().is_ok_and(|packet| *packet != last);
                    packets.push(shown(packet));
                    if done {
                        return packets.join(" ");
                    }
                }
            }
            "silent" => match client::a_little_later(client) {
                Ok(None) => "silent".into(),
                Ok(Some(data)) => self.show(&data),
                Err(error) => refused(&error),
            },
            "shutdown" => {
                client.finish();
                "shut down".into()
            }
            _ => panic!("{}: no step of a script is {:?}", self.what, step.text()),
        }
    }

    /// A step that concerns the server.
    fn steer(&mut self, verb: &str, argument: &str) -> String {
        if verb == "ends" {
            return self.end();
        }
        let Some(server) = &mut self.server else {
            panic!("{}: {verb} after its end", self.what);
        };
        match verb {
            "prints" => {
                let text = String::from_utf8(literal::parse(argument)).expect("text");
                server.wait_for_text(&text);
                "printed".into()
            }
            "input" => {
                server.end_input();
                "ended".into()
            }
            signal => {
                let signal: Signal = signal
                    .parse()
                    .unwrap_or_else(|_| panic!("no step of a script is: server {verb}"));
                server.signal(signal);
                "signalled".into()
            }
        }
    }

    fn end(&mut self) -> String {
        let Some(server) = self.server.take() else {
            panic!("{} has ended already", self.what);
        };
        let finished = self.finished.insert(server.finish());
        ending(finished.status)
    }

    fn ended(&self) -> &Finished {
        let finished = self.finished.as_ref();
        finished.unwrap_or_else(|| panic!("{} has not ended", self.what))
    }

    fn stdout(&self) -> Seen {
        let stdout = &self.ended().stdout[self.preamble..];
        let text = String::from_utf8_lossy(stdout);
        or_nothing(text.lines().map(str::to_owned).collect())
    }

    fn stderr(&self) -> Seen {
        let stderr = self.name(&self.ended().stderr);
        or_nothing(output::errors(&stderr, self.language))
    }

    // ---- clients and their names ----

    fn connect(&mut self, name: &str, naming: &str) -> String {
        match self.at.connect(naming, &self.path_of(name)) {
            Ok(client) => {
                for address in client::address_of(&client).into_iter().flatten() {
                    self.names.push((address, format!("<{name}>")));
                }
                let before = self.clients.insert(name.to_owned(), client);
                assert!(before.is_none(), "{}: there are two {name}", self.what);
                "connected".into()
            }
            Err(error) => refused(&error),
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.dir.socket().with_file_name(name)
    }

    fn client(&self, step: &Step) -> &Client {
        let client = self.clients.get(&step.who);
        client.unwrap_or_else(|| panic!("{}: {:?}: who is that?", self.what, step.text()))
    }

    fn leave(&mut self, name: &str) -> Client {
        let client = self.clients.remove(name);
        client.unwrap_or_else(|| panic!("{}: {name} is not there", self.what))
    }

    /// Writes the addresses of clients into what is sent.
    fn with_addresses(&self, data: &[u8]) -> Vec<u8> {
        // Of the two forms of an address, text comes first.
        let names = self.names.iter();
        names.fold(data.to_vec(), |data, (address, name)| {
            replace(&data, name.as_bytes(), address.as_bytes())
        })
    }

    fn show(&self, data: &[u8]) -> String {
        let names = self.names.iter();
        let named = names.fold(data.to_vec(), |data, (address, name)| {
            replace(&data, address.as_bytes(), name.as_bytes())
        });
        literal::show(&named)
    }

    fn name(&self, text: &str) -> String {
        let names = self.names.iter();
        names.fold(text.to_owned(), |text, (address, name)| {
            text.replace(address, name)
        })
    }

    fn name_addresses(&self, seen: Seen) -> Seen {
        seen.iter().map(|line| self.name(line)).collect()
    }
}

fn replace(data: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

fn outcome(fine: &str, result: io::Result<()>) -> String {
    match result {
        Ok(()) => fine.into(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock => STUCK.into(),
        kind => format!("{kind:?}"),
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, signal) => match signal.and_then(|number| Signal::try_from(number).ok()) {
            Some(signal) => format!("signal {signal}"),
            None => format!("signal {signal:?}"),
        },
    }
}

fn or_nothing(seen: Seen) -> Seen {
    if seen.is_empty() {
        vec!["nothing".into()]
    } else {
        seen
    }
}
