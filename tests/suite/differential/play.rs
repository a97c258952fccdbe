//! Runs a script against a server.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{PAIRS, literal, output, server};
use crate::differential::client::{self, Endpoint};
use crate::differential::script::{Script, Seen, Step};
use crate::support::alone::command;
use crate::support::net::{Client, TempDir, own_loopback};
use crate::support::process::{Finished, Program, python};

/// Beginning of the line in which a server prints its kind and its address.
pub(crate) const LISTENING: &str = "listening on ";

/// Result of a step that received nothing in time.
const STUCK: &str = "(nothing)";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Language {
    Python,
    Rust,
}

/// Starts the server of a pair and runs each step of the script. Returns the results.
pub(crate) fn play(
    script: &Script,
    language: Language,
    pair: &str,
    strategy: Option<&str>,
) -> Vec<Seen> {
    let mut play = Play::start(language, pair, strategy);
    let mut transcript = Vec::new();
    for step in &script.steps {
        let seen = play.run_step(step);
        if seen.iter().any(|line| line.ends_with(STUCK)) {
            let (name, step) = (play.name, step.text());
            panic!("{name}: {step}: no result in time: {:?}", play.server);
        }
        transcript.push(play.replace_addresses_in(seen));
    }
    transcript
}

struct Play {
    /// Name of the server, for messages.
    name: String,
    language: Language,
    /// The server process; `None` after its end.
    server: Option<Program>,
    /// Output and exit status of the server; `None` before its end.
    finished: Option<Finished>,
    endpoint: Endpoint,
    /// Number of bytes that the test harness printed before the server printed its address.
    preamble: usize,
    clients: BTreeMap<String, Client>,
    /// Pairs of an address and the name that replaces it.
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
        let endpoint = loop {
            let line = program.line();
            preamble += line.len() + 1;
            if let Some(announced) = line.strip_prefix(LISTENING) {
                break Endpoint::parse(announced)
                    .unwrap_or_else(|| panic!("not an address: {line:?}: {program:?}"));
            }
        };
        Self {
            language,
            name: format!("{language:?} server of the pair {pair}"),
            names: endpoint
                .names()
                .map(|name| (name, "<server>".into()))
                .into(),
            server: Some(program),
            finished: None,
            endpoint,
            preamble,
            clients: BTreeMap::new(),
            dir,
        }
    }

    fn run_step(&mut self, step: &Step) -> Seen {
        let argument = step.argument.as_str();
        match (step.subject.as_str(), step.verb.as_str()) {
            ("server", "stdout") => self.stdout(),
            ("server", "stderr") => self.stderr(),
            ("server", verb) => vec![self.server_step(verb, argument)],
            (name, "connect") => vec![self.connect(name, argument)],
            (name, "close") => {
                self.remove_client(name);
                vec!["closed".into()]
            }
            (name, "reset") => {
                let client = self.remove_client(name);
                let now = Some(Duration::ZERO);
                client.socket().set_linger(now).expect("a linger time");
                vec!["closed".into()]
            }
            (_, "send") => {
                let data = self.with_addresses(&literal::parse(argument));
                vec![outcome("sent", self.client(step).try_send(data))]
            }
            (_, verb) => vec![self.client_step(step, verb, argument)],
        }
    }

    /// Runs a step of a client.
    fn client_step(&self, step: &Step, verb: &str, argument: &str) -> String {
        let client = self.client(step);
        let shown = |data: io::Result<Vec<u8>>| match data {
            Ok(data) => self.show(&data),
            Err(error) => show_error(&error),
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
            "silent" => match client::receive_briefly(client) {
                Ok(None) => "silent".into(),
                Ok(Some(data)) => self.show(&data),
                Err(error) => show_error(&error),
            },
            "shutdown" => {
                client.finish();
                "shut down".into()
            }
            _ => panic!("{}: unknown step: {:?}", self.name, step.text()),
        }
    }

    /// Runs a step of the server.
    fn server_step(&mut self, verb: &str, argument: &str) -> String {
        if verb == "ends" {
            return self.end();
        }
        let Some(server) = &mut self.server else {
            panic!("{}: {verb} after its end", self.name);
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
                    .unwrap_or_else(|_| panic!("unknown step: server {verb}"));
                server.signal(signal);
                "signalled".into()
            }
        }
    }

    fn end(&mut self) -> String {
        let Some(server) = self.server.take() else {
            panic!("{} has ended already", self.name);
        };
        let finished = self.finished.insert(server.finish());
        ending(finished.status)
    }

    fn ended(&self) -> &Finished {
        let finished = self.finished.as_ref();
        finished.unwrap_or_else(|| panic!("{} has not ended", self.name))
    }

    fn stdout(&self) -> Seen {
        let stdout = &self.ended().stdout[self.preamble..];
        let text = String::from_utf8_lossy(stdout);
        or_nothing(text.lines().map(str::to_owned).collect())
    }

    fn stderr(&self) -> Seen {
        let stderr = self.replace_addresses(&self.ended().stderr);
        or_nothing(output::errors(&stderr, self.language))
    }

    // ---- clients and their names ----

    fn connect(&mut self, name: &str, naming: &str) -> String {
        match self.endpoint.connect(naming, &self.path_of(name)) {
            Ok(client) => {
                for address in client::address_of(&client).into_iter().flatten() {
                    self.names.push((address, format!("<{name}>")));
                }
                let before = self.clients.insert(name.to_owned(), client);
                assert!(
                    before.is_none(),
                    "{}: client {name} exists already",
                    self.name
                );
                "connected".into()
            }
            Err(error) => show_error(&error),
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.dir.socket().with_file_name(name)
    }

    fn client(&self, step: &Step) -> &Client {
        let client = self.clients.get(&step.subject);
        client.unwrap_or_else(|| panic!("{}: {:?}: unknown client", self.name, step.text()))
    }

    fn remove_client(&mut self, name: &str) -> Client {
        let client = self.clients.remove(name);
        client.unwrap_or_else(|| panic!("{}: client {name} does not exist", self.name))
    }

    /// Replaces names by addresses in the data to send.
    fn with_addresses(&self, data: &[u8]) -> Vec<u8> {
        // Uses the text form of an address, because it precedes Python's form in `names`.
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

    fn replace_addresses(&self, text: &str) -> String {
        let names = self.names.iter();
        names.fold(text.to_owned(), |text, (address, name)| {
            text.replace(address, name)
        })
    }

    fn replace_addresses_in(&self, seen: Seen) -> Seen {
        seen.iter()
            .map(|line| self.replace_addresses(line))
            .collect()
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

fn outcome(success: &str, result: io::Result<()>) -> String {
    match result {
        Ok(()) => success.into(),
        Err(error) => show_error(&error),
    }
}

fn show_error(error: &io::Error) -> String {
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
