//! The mistakes of programs that come from Python, and what the compiler says to them. Each file of
//! `tests/compile_fail/` makes one, and names the sentences (`//! expect:`) that tell its author what
//! to write instead, or at least what is wrong: some are the library's, some the compiler's own.
//!
//! After a change of the library, or for a new compiler, record the messages anew and read what
//! changed: `TRYBUILD=overwrite cargo test --test suite compile_fail -- --ignored`.

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

/// The compiler whose messages the `.stderr` files hold. Others put them in other words, so they are
/// compared with this one only, and wherever `CI` is set.
const RECORDED_WITH: &str = "rustc 1.95.";

#[test]
#[ignore = "long: builds the library anew for trybuild"]
fn mistakes_are_explained() {
    if compiler_is_the_recorded_one() {
        trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
    }
}

/// Whatever the compiler, each record says what its case expects.
#[test]
fn the_records_say_what_is_expected() {
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
        assert!(recorded.contains(sentence), "{case:?}: unsaid: {sentence}");
    }
}

fn compiler_is_the_recorded_one() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    if version.starts_with(RECORDED_WITH) || env::var_os("CI").is_some() {
        return true;
    }
    eprintln!("not compared: the messages are those of {RECORDED_WITH}x, this is {version}");
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

/// A handler is made, used and dropped where its request runs, so it may hold what only one thread
/// may use.
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

/// What the messages propose for a closure that counts.
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

/// The documentation of `Request` says so: `by_ref()` is ambiguous, and not needed.
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
