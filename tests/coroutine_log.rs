//! Log events about handlers that stall their coroutine worker.
//!
//! A test program of its own, because a process has one logger: `cargo test --features log`.

mod support;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, Sequential, TcpRequest, blocking, sleep};
use support::net::*;

/// A logger that sends its lines to the test.
struct Lines(OnceLock<Mutex<Sender<(Level, String)>>>);

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "socketserver"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Some(lines) = self.0.get()
        {
            let line = (record.level(), record.args().to_string());
            let _ = lines.lock().unwrap().send(line);
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(OnceLock::new());

#[test]
fn a_stalled_worker_is_reported_during_the_stall_and_afterwards() {
    let (sender, lines) = channel();
    LINES.0.set(Mutex::new(sender)).unwrap();
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Warn);

    let gate = Gate::default();
    let service = Hooks::new({
        let gate = gate.clone();
        move |request: &mut TcpRequest| {
            // These calls do not stall the worker.
            sleep(Duration::from_millis(30));
            blocking(|| thread::sleep(Duration::from_millis(30)));
            if request.readline(100)? == b"stall\n" {
                gate.pass();
            }
            Ok(request.send_all("done\n")?)
        }
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| {
            let server = server.strategy(Coroutines::new().workers(2));
            server.poll_interval(Duration::from_millis(5))
        },
    );
    let client = host.client();
    client.send("stall\n");
    let (level, line) = next(&lines);
    assert_eq!(level, Level::Warn);
    // The stall lasts until the gate opens, so this line was logged during it.
    assert!(
        line.starts_with("a worker has not polled its clients "),
        "{line}"
    );
    gate.open();
    assert_eq!(client.rest(), b"done\n");
    let is_summary = |line: &str| line.starts_with("a handler blocked its worker, ");
    while !is_summary(&next(&lines).1) {}
    assert!(host.server.stats().worker_stalls >= 1);
    host.stop();
}
