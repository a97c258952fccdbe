//! The same client script runs against a server of Python's `socketserver` and against the equivalent Rust
//! server, and everything that is visible from outside is compared: the data each client gets, how its
//! connection ends, what the server prints on both streams, and how the server process ends.
//!
//! A pair consists of two files in `pairs/`:
//!
//! - `NAME.py` is the Python server. The first paragraph of its docstring describes what is compared. The
//!   script follows after an empty line.
//! - `NAME.rs` is the Rust server: `pair!(..)` around the body of its `main`.
//!
//! Both are processes of their own. Their output is compared unchanged, with two exceptions:
//!
//! - Names replace addresses: `<a>` is the address of client `a` and `<server>` that of the server, both
//!   as text (`127.0.0.1:80`, or a path) and as Python shows it (`('127.0.0.1', 80)`).
//! - On stderr, a report of `handle_error` becomes one line, `from <a>: handle: no such word`: the
//!   client, the stage that failed, and the text of the error without its type. A cause follows
//!   after ` <- `. An error of `finish` follows that of `handle` after `; `. An error that ended the
//!   program becomes `uncaught: TEXT`.
//!
//! # The script
//!
//! Each line is a step. The result of each step is compared. `#` begins a comment.
//!
//! | step | action | result |
//! | --- | --- | --- |
//! | `a connect` | creates a client and connects it; a datagram client gets an address of its own | `connected`, or the error |
//! | `a connect named` | also binds a Unix stream client to a path | |
//! | `a connect unnamed` | does not bind a Unix datagram client | |
//! | `a send "text\n"` | sends: `\n`, `\r`, `\t`, `\0`, `\\`, `\"`, `\xNN` as in Python, `"x" * 1000` too; `<b>` is the address of `b` | `sent`, or the error |
//! | `a line` | reads to the end of the line | the data |
//! | `a recv 6` | reads this number of bytes | the data |
//! | `a eof` | reads to the end | the data, then `end` or the error |
//! | `a packet` | receives a datagram | the datagram |
//! | `a until "x"` | receives datagrams up to this one | all of them |
//! | `a silent` | waits for a short time and expects to receive nothing; only for steps that nothing else can order | `silent`, or the data |
//! | `a shutdown` | shuts down the sending side | |
//! | `a close` | closes the connection | |
//! | `a reset` | closes and resets the connection | |
//! | `server prints "text"` | waits until the server has printed this | |
//! | `server SIGINT` | sends this signal, or SIGTERM or SIGHUP | |
//! | `server input` | ends the server's standard input | |
//! | `server ends` | waits for the end of the process | `exit 0`, or `signal SIGINT` |
//! | `server stdout`, `server stderr` | returns all output, after the end of the process | the output |
//!
//! `server SIGTERM`, `server ends`, `server stdout` and `server stderr` are appended if they are missing.
//! A server is not stopped in the middle of a request, but requests in the kernel's queue are not served
//! any more. A script therefore has to make sure that everything a client sent was received: by a reply,
//! the end of the connection, or printed text.
//!
//! A first line `strategies: plain threading pool forking` runs the script against servers of each of
//! these strategies. A thread pool, which Python lacks, is compared with Python's threads. Without this
//! line, the servers use the strategy that the files name. A line `needs: IPv6` skips the pair on a machine
//! without IPv6.
//!
//! # Intended differences
//!
//! They are declared below their step, indented, and are checked too:
//!
//! ```text
//! a until "pong"
//!     python: b"" b"pong"
//!     rust: b"pong"
//! ```
//!
//! A declaration has a line for each line of the result, `nothing` for an empty result, and `...` for the
//! rest of a line whose words are not compared. If the two languages agree in such a step, the test fails,
//! because `docs/reference/differences.md` would be wrong.
//!
//! By default a pair runs with the first of its strategies; `SOCKETSERVER_TESTS=all` runs all of them.
//! Without `python3` the tests report that and pass, except if the variable `CI` is set.

mod client;
mod literal;
mod output;
mod play;
mod script;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use play::Language;
use script::Script;

use crate::support::alone::apart;
use crate::support::process::python_is_there;
use crate::support::scale::scale;

/// Defines the test that compares a Rust server with the Python server of the same name.
macro_rules! pair {
    ($main:expr) => {
        #[test]
        fn compare() {
            $crate::differential::compare_or_serve(module_path!(), || $main);
        }
    };
}

/// Path of the module of the pairs in libtest's list.
const PAIRS: &str = "differential::pairs";

mod pairs {
    automod::dir!("tests/suite/differential/pairs");
}

/// Compares the servers of a pair. In the process that the comparison starts, runs the Rust server
/// instead.
fn compare_or_serve(module: &str, serve: impl FnOnce() -> socketserver::Result) {
    if server::is_server_process() {
        server::run(serve);
    }
    if python_is_there() {
        // Apart, because a program that another test is starting has copies of the clients' sockets for a moment.
        let (_, name) = module.rsplit_once("::").expect("a module inside pairs/");
        apart(&format!("{PAIRS}::{name}::compare"), || compare(name));
    }
}

fn compare(name: &str) {
    let script = Script::of(&directory().join(format!("{name}.py")));
    if script.needs_v6 && UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let count = scale(1, usize::MAX);
    for strategy in script.strategies.iter().take(count) {
        let [python, rust] = [Language::Python, Language::Rust]
            .map(|language| play::play(&script, language, name, strategy.as_deref()));
        if let Err(problem) = script.check(&python, &rust) {
            let strategy = strategy.as_deref().unwrap_or("of the files");
            panic!("pairs/{name}.py and .rs, strategy {strategy}:\n{problem}");
        }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/differential/pairs")
}

/// Cargo does not recompile `automod` when a directory gets a new file.
#[test]
fn every_pair_is_complete_and_compiled() {
    let files_of = |extension: &str| -> BTreeSet<String> {
        fs::read_dir(directory())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let rust = files_of("rs");
    assert_eq!(rust, files_of("py"), "a pair has a .py and a .rs file");

    let list = Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let compiled = list
        .lines()
        .filter_map(|line| {
            line.strip_prefix(PAIRS)?
                .strip_prefix("::")?
                .strip_suffix("::compare: test")
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(
        rust, compiled,
        "the files of pairs/ differ from the compiled modules: touch tests/suite/differential/mod.rs"
    );
}
