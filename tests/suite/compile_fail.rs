//! Typical mistakes of programmers who come from Python, and the compiler's messages. Each file of
//! `tests/compile_fail/` makes one mistake. Its `//! expect:` lines are the sentences of the message that
//! explain the remedy, or at least the mistake. The library provides some of them, the compiler the others.
//!
//! After a change of the library, or for a new compiler, record the messages again and review the
//! differences: `TRYBUILD=overwrite cargo test --test suite compile_fail -- --ignored`.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use socketserver::prelude::*;

use crate::support::net::{Client, LOOPBACK};

/// Compiler version whose messages the `.stderr` files contain. Other versions word them differently, so the
/// files are compared with this version only, or if `CI` is set.
const RECORDED_WITH: &str = "rustc 1.95.";

#[test]
#[ignore = "long: builds the library again for trybuild"]
fn mistakes_are_explained() {
    if compiler_is_the_recorded_one() {
        trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
    }
}

/// Compares the records with the `expect:` lines, independently of the installed compiler.
#[test]
fn the_records_contain_the_expected_sentences() {
    let files = files();
    for case in &files {
        let recorded = case.with_extension("stderr");
        match case.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => check_record(&read(case), &read(&recorded), case),
            _ => assert!(files.contains(&case.with_extension("rs")), "{case:?}"),
        }
    }
}

fn check_record(source: &str, recorded: &str, case: &Path) {
    let sentences = || {
        let lines = source.lines();
        lines.filter_map(|line| line.strip_prefix("//! expect: "))
    };
    assert!(sentences().count() > 0, "{case:?} expects nothing");
    for sentence in sentences() {
        assert!(recorded.contains(sentence), "{case:?}: missing: {sentence}");
    }
}

fn compiler_is_the_recorded_one() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    if version.starts_with(RECORDED_WITH) || env::var_os("CI").is_some() {
        return true;
    }
    eprintln!("not compared: the messages were recorded with {RECORDED_WITH}x, this is {version}");
    false
}

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A handler is created, used and dropped on the thread of its request, so it may contain values that are not
/// `Send`.
#[test]
fn a_handler_need_not_be_send() -> Result {
    #[derive(Default)]
    struct Notes(Rc<Vec<u8>>);

    impl Notes {
        fn new() -> Self {
            Self::default()
        }
    }

    impl<R: Request> RequestHandler<R> for Notes {
        fn handle(&mut self, request: &mut R) -> Result {
            Rc::make_mut(&mut self.0).extend(request.recv(10)?);
            Ok(())
        }
    }

    let service: fn() -> Notes = || Notes(Rc::default());
    let _ = ThreadingTcpServer::bind(LOOPBACK, service)?;
    let _ = ThreadPoolUdpServer::bind(LOOPBACK, Notes::default)?;
    let _ = ThreadingUdpServer::bind(LOOPBACK, Notes::new)?;
    Ok(())
}

/// The remedy that the messages propose for a closure that counts.
#[test]
fn a_factory_counts_with_an_atomic() -> Result {
    struct Visit {
        number: u32,
    }

    impl RequestHandler<TcpRequest> for Visit {
        fn handle(&mut self, request: &mut TcpRequest) -> Result {
            Ok(writeln!(request, "{}", self.number)?)
        }
    }

    let visits = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&visits);
    let service = move || Visit {
        number: counter.fetch_add(1, Ordering::Relaxed),
    };
    let _ = ThreadingTcpServer::bind(LOOPBACK, service)?;
    assert_eq!(visits.load(Ordering::Relaxed), 0);
    Ok(())
}

/// As documented for `Request`: `by_ref()` is ambiguous, and not needed.
#[test]
fn take_leaves_the_request_to_the_handler() -> Result {
    let swap = handler_fn(|request: &mut TcpRequest| {
        let mut head = Vec::new();
        request.take(3).read_to_end(&mut head)?;
        let rest = request.read_exactly(3)?;
        request.send_all(&rest)?;
        Ok(request.send_all(&head)?)
    });
    let server = TcpServer::bind(LOOPBACK, swap)?.spawn()?;
    let client = Client::new(TcpStream::connect(server.server_address())?);
    client.send("abcdef");
    assert_eq!(client.rest(), b"defabc");
    Ok(())
}
