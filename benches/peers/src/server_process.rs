//! A server under test: a child process that prints its address and serves until it is killed.

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
    /// Kept open, because a server could fail when it prints to a closed pipe.
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

    /// Adds to an error whether the server has exited, and its status.
    pub fn explain(&mut self, error: Error) -> Error {
        match self.child.try_wait() {
            Ok(Some(status)) => format!("{error} (the server has exited: {status})").into(),
            Ok(None) => format!("{error} (the server is still running)").into(),
            Err(_) => error,
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Kills a child process on drop, unless it is taken out with `keep`.
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
    // Errors are ignored, because they occur only for a child process that has already exited.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads one line with a time limit, in a thread, because reads of a pipe have no timeout.
fn first_line(stdout: ChildStdout) -> Result<(String, BufReader<ChildStdout>)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let result = stdout.read_line(&mut line);
        // Fails if the receiver has timed out and is dropped. The line is not needed then.
        let _ = sender.send(result.map(|_| (line.trim_end().to_owned(), stdout)));
    });
    let line = receiver
        .recv_timeout(START_TIMEOUT)
        .map_err(|_| format!("the server did not print its address within {START_TIMEOUT:?}"))?;
    Ok(line?)
}
