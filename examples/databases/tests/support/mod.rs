//! The program `visits`, its clients, and directories that are removed.

#![allow(dead_code)] // No test program uses all functions.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, process, thread};

pub const STRATEGIES: [&str; 5] = [
    "sequential",
    "threading",
    "thread-pool",
    "forking",
    "coroutines",
];

const CLIENTS: usize = 8;
const VISITS: usize = 25;

/// A directory that is removed when it is dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("visits-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running `visits`.
pub struct Program {
    process: Child,
    address: String,
}

impl Program {
    pub fn start(strategy: &str, database: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_visits"))
            .args([strategy, database, "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("{strategy}: {line:?}"));
        Self {
            address: address.to_owned(),
            process,
        }
    }

    /// Sends names, one a line, and returns the numbers of visits.
    pub fn visit(&self, names: &[&str]) -> Vec<usize> {
        let mut client = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(60));
        client.set_read_timeout(limit).unwrap();
        client
            .write_all((names.join("\n") + "\n").as_bytes())
            .unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let lines = BufReader::new(client).lines();
        lines.map(|line| line.unwrap().parse().unwrap()).collect()
    }

    /// Stops the program by SIGTERM.
    pub fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill(); // fails if it has ended
        let _ = self.process.wait();
    }
}

/// Counts visits of many clients at once under `strategy`. Each visit counts once, and counts last.
pub fn check_strategy(strategy: &str, database: &str) {
    let program = Program::start(strategy, database);
    assert_eq!(
        program.visit(&["Ada", "Bob", "Ada", "O'Hara; --"]),
        [1, 1, 2, 1]
    );
    let counts: Vec<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| program.visit(&["Eve"; VISITS])))
            .collect();
        let counts = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap());
        counts.collect()
    });
    assert_eq!(counts.len(), CLIENTS * VISITS, "{strategy}");
    let expected: BTreeSet<usize> = (1..=CLIENTS * VISITS).collect();
    assert_eq!(
        counts.into_iter().collect::<BTreeSet<_>>(),
        expected,
        "{strategy}"
    );
    program.stop();

    let program = Program::start(strategy, database);
    assert_eq!(
        program.visit(&["Eve", "Ada"]),
        [CLIENTS * VISITS + 1, 3],
        "{strategy}"
    );
    program.stop();
}
