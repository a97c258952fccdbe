//! A server under test: a child process that says where it listens and serves until killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddrV4;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::pinning::Pinning;
use crate::probe::Probe;
use crate::{Error, Result};

const START_TIMEOUT: Duration = Duration::from_secs(30);

pub struct ServerProcess {
    child: Child,
    /// Kept open: a server must not fail because nobody can read what it prints.
    _stdout: BufReader<ChildStdout>,
    address: SocketAddrV4,
}

impl ServerProcess {
    pub fn start(mut command: Command, pinning: &Pinning) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = pinning.start_server(|| command.spawn())??;
        let mut child = KillOnDrop(Some(child));
        let stdout = child.get().stdout.take().expect("stdout is piped");
        let (line, stdout) = first_line(stdout)?;
        let address = line
            .strip_prefix("listening on ")
            .ok_or_else(|| format!("the server's first line is {line:?}"))?
            .parse()?;
        Ok(Self {
            child: child.keep(),
            _stdout: stdout,
            address,
        })
    }

    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub fn probe(&self) -> Probe {
        Probe(Some(self.child.id()))
    }

    /// Says of a failure whether the server as a whole has ended, and how.
    pub fn explain(&mut self, error: Error) -> Error {
        match self.child.try_wait() {
            Ok(Some(status)) => format!("{error} (the server has ended: {status})").into(),
            Ok(None) => format!("{error} (the server still runs)").into(),
            Err(_) => error,
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Guards a child until its first line has been understood.
struct KillOnDrop(Option<Child>);

impl KillOnDrop {
    fn get(&mut self) -> &mut Child {
        self.0.as_mut().expect("the child is here until `keep`")
    }

    fn keep(mut self) -> Child {
        self.0.take().expect("the child is here until `keep`")
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            stop(child);
        }
    }
}

fn stop(child: &mut Child) {
    // Neither can fail in a way that matters: a child that has ended already is as good.
    let _ = child.kill();
    let _ = child.wait();
}

/// Read one line, for a while only: pipes have no timeout, a channel has one.
fn first_line(stdout: ChildStdout) -> Result<(String, BufReader<ChildStdout>)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let result = stdout.read_line(&mut line);
        // Nobody waits any more after the timeout: then the line is of no use.
        let _ = sender.send(result.map(|_| (line.trim_end().to_owned(), stdout)));
    });
    let line = receiver
        .recv_timeout(START_TIMEOUT)
        .map_err(|_| format!("the server did not say where it listens within {START_TIMEOUT:?}"))?;
    Ok(line?)
}
