//! Requests in child processes: what a child process inherits, how it ends, how many there are, and when the
//! server refuses to fork.
//!
//! The process of libtest has several threads. Therefore all tests fork unchecked, except those of the refusal. The
//! handlers here take no lock that another thread could hold.

// For signal dispositions.
#![allow(unsafe_code)]

mod closing;
mod copies;
mod endings;
mod inheritance;
mod many;
mod max_children;
mod refusal;
mod signals;

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal, kill, raise, sigaction, signal,
};
use nix::unistd::{Pid, getpgrp, setpgid};
use rustix::process::Resource;
use socket2::{Domain, Socket, Type};
use socketserver::RequestKind;
use socketserver::transport::Tcp;
use socketserver::{
    ChildExit, Forking, Handled, HandlerError, Request, RequestHandler, Result, Sequential, Server,
    Service, Stage, Strategy, TcpRequest, TcpServer, Threading, handler_fn,
};

use crate::support::alone::{apart, command, is_alone, limited, passed, run, test_name};
use crate::support::net::*;
use crate::support::process::{Program, reset_signals};
use crate::support::scale::scale;

/// Time in which signals are repetitions of the first one.
const REPETITION: Duration = Duration::from_millis(100);

/// Makes a strategy that reports the exits of its child processes.
fn watched() -> (Forking, Receiver<ChildExit>) {
    let (ended, ends) = mpsc::channel();
    let forking = forking().on_child_exit(move |exit| {
        let _ = ended.send(*exit);
    });
    (forking, ends)
}

/// Starts a server that forks and echoes lines.
fn host_forking<T: Reachable>(
    adjust: impl FnOnce(Server<T, Hooks<T::Request>, Forking>) -> Server<T, Hooks<T::Request>, Forking>,
) -> Host<T, Hooks<T::Request>, Forking> {
    host_with::<T, Sequential, _, _>(
        Hooks::echo(),
        |options| options,
        |server| adjust(server.strategy(forking())),
    )
}

/// Answers each line with the process id.
fn answer_pids<R: Request>(request: &mut R) -> Result {
    while request.next_line(100)?.is_some() {
        writeln!(request, "{}", std::process::id())?;
    }
    Ok(())
}

/// Answers one line with the process id.
fn answer_one_pid<R: Request>(request: &mut R) -> Result {
    request.readline(100)?;
    Ok(writeln!(request, "{}", std::process::id())?)
}

fn pid(line: &str) -> Pid {
    Pid::from_raw(line.trim().parse().unwrap())
}

/// All child processes of a process, whichever code started them.
fn children_of(parent: u32) -> Vec<Pid> {
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let number: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut words = rest.split(' ');
            let (_state, its_parent) = (words.next()?, words.next()?);
            (its_parent == parent.to_string()).then(|| Pid::from_raw(number))
        });
    numbers.collect()
}

/// Resets the signal dispositions once, because a second reset could remove a handler that a test has installed
/// since.
fn reset_signals_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| reset_signals().unwrap());
}

fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('Z')
}
