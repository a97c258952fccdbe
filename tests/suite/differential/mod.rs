//! The same client script is played to a server of Python's `socketserver` and to its twin here, and
//! what can be seen from outside is compared: what each client gets and how its connection ends,
//! what the server prints on both of its streams, and how it ends itself.
//!
//! A pair is two files in `pairs/`, and nothing else:
//!
//! - `NAME.py` is the Python server. Its docstring says what is compared; below that, after an empty
//!   line, is the script.
//! - `NAME.rs` is the Rust server: `pair!(..)` around what would be in its `main`.
//!
//! Both are programs of their own, so what they print is compared as it is, but for these:
//!
//! - Addresses are replaced by names: `<a>` is that of client `a`, `<server>` that of the server,
//!   as text (`127.0.0.1:80`, or a path) or as Python shows it (`('127.0.0.1', 80)`).
//! - On stderr a report of `handle_error` becomes one line, `from <a>: handle: no such word`: the
//!   client, the stage that failed and the text of the error, without its type. A cause follows
//!   after ` <- `; an error of `finish` follows that of `handle` after `; `. An error that ended the
//!   program becomes `uncaught: TEXT`.
//!
//! # The script
//!
//! A step a line; what a step saw is compared. `#` begins a comment.
//!
//! | step | does | sees |
//! | --- | --- | --- |
//! | `a connect` | makes a client and connects it; a datagram client gets an address of its own | `connected`, or the error |
//! | `a connect named` | the same, a Unix stream client that is bound to a path | |
//! | `a connect unnamed` | the same, a Unix datagram client that is bound to nothing | |
//! | `a send "text\n"` | sends: `\n`, `\r`, `\t`, `\0`, `\\`, `\"`, `\xNN` as in Python, `"x" * 1000` too; `<b>` is the address of `b` | `sent`, or the error |
//! | `a line` | reads to the end of the line | what came |
//! | `a recv 6` | reads as many bytes | what came |
//! | `a eof` | reads to the end | what came, then `end` or the error |
//! | `a packet` | receives a datagram | it |
//! | `a until "x"` | receives datagrams until it is this one | all of them |
//! | `a silent` | waits a little, and nothing may come: where nothing else can order it | `silent`, or what came |
//! | `a shutdown` | will send no more | |
//! | `a close` | closes | |
//! | `a reset` | closes in such a way that the server's connection is reset | |
//! | `server prints "text"` | waits until it has printed this | |
//! | `server SIGINT` | sends the signal: this one, SIGTERM or SIGHUP | |
//! | `server input` | ends its standard input | |
//! | `server ends` | waits for its end | `exit 0`, or `signal SIGINT` |
//! | `server stdout`, `server stderr` | after its end | all that it printed |
//!
//! `server SIGTERM`, `server ends`, `server stdout` and `server stderr` are added at the end where
//! they are missing. A server is not stopped in the middle of a request, but what is still in the
//! kernel's queue then is not served: make sure that everything a client sent was received, by an
//! answer, an end or something that is printed.
//!
//! A first line `strategies: plain threading pool forking` plays the script to servers of these
//! strategies, one after the other (a thread pool, which Python lacks, is compared with its
//! threads). Without it the servers are of the strategy that the files name. A line `needs: IPv6`
//! skips the pair where there is none.
//!
//! # Differences that are meant
//!
//! They stand below their step, indented, and are checked like everything else:
//!
//! ```text
//! a until "pong"
//!     python: b"" b"pong"
//!     rust: b"pong"
//! ```
//!
//! A line for each line that was seen, `nothing` where there is none, `...` for the rest of a line
//! whose words do not matter. If the two languages agree in such a step, the test fails:
//! `docs/differences.md` would be wrong.
//!
//! By default a pair is played with the first of its strategies, under `SOCKETSERVER_TESTS=all` with all.
//! Without `python3` the tests say so and pass, except where the variable `CI` is set.

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

use crate::support::process::python_is_there;
use crate::support::scale::scale;

/// Makes a test of a Rust server: compares it with the Python server of the same name.
macro_rules! pair {
    ($main:expr) => {
        #[test]
        fn compare() {
            $crate::differential::compare_or_serve(module_path!(), || $main);
        }
    };
}

/// Module of the pairs, as libtest lists it.
const PAIRS: &str = "differential::pairs";

mod pairs {
    automod::dir!("tests/suite/differential/pairs");
}

/// What the test of a pair does: compares, or is the server that is compared.
fn compare_or_serve(module: &str, serve: impl FnOnce() -> socketserver::Result) {
    if server::is_wanted() {
        server::run(serve);
    }
    if python_is_there() {
        let (_, name) = module.rsplit_once("::").expect("the module of a pair");
        compare(name);
    }
}

fn compare(name: &str) {
    let script = Script::of(&directory().join(format!("{name}.py")));
    if script.needs_v6 && UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let most = scale(1, usize::MAX);
    for strategy in script.strategies.iter().take(most) {
        let [python, rust] = [Language::Python, Language::Rust]
            .map(|language| play::play(&script, language, name, strategy.as_deref()));
        if let Err(problem) = script.judge(&python, &rust) {
            let strategy = strategy.as_deref().unwrap_or("its own");
            panic!("pairs/{name}.py and .rs, strategy {strategy}:\n{problem}");
        }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/differential/pairs")
}

/// Cargo does not notice a file that is new in a directory.
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
    assert_eq!(rust, files_of("py"), "a pair is a .py and a .rs file");

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
        "the files of pairs/ and what was compiled of them differ: touch tests/suite/differential/mod.rs"
    );
}
