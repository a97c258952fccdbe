//! Tests that have a process to themselves: limits, users and signals are those of a whole process.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::kinds::Kind;
use super::process::Program;

/// Says to a process which test it is for.
const ALONE: &str = "SOCKETSERVER_TEST_ALONE";

/// The name that libtest knows such a test by: `check` is the path of a function that `by_kind!` was
/// given.
fn name(check: &str, kind: Kind) -> String {
    format!("{check}::{}", kind.name().replace('-', "_"))
}

/// Whether this is the process of that test.
pub(crate) fn is_alone(check: &str, kind: Kind) -> bool {
    std::env::var(ALONE).is_ok_and(|test| test == name(check, kind))
}

/// Starts that process: it runs the same function again.
pub(crate) fn start(check: &str, kind: Kind) -> Program {
    let name = name(check, kind);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &name, "--nocapture", "--test-threads", "1"])
        .env(ALONE, name);
    Program::start(command)
}

/// Runs `work` in a process of its own.
#[track_caller]
pub(crate) fn alone(check: &str, kind: Kind, work: impl FnOnce()) {
    if is_alone(check, kind) {
        return work();
    }
    let ended = start(check, kind).finish();
    let complaint = &ended.stderr;
    assert!(ended.status.success(), "{}: {complaint}", ended.status);
    assert!(ended.text().contains("1 passed"), "{}", ended.text());
}

/// Makes this process one that the limit of processes binds, which root is exempt from.
#[allow(
    unsafe_code,
    reason = "the call for all threads is that of the C library"
)]
pub(crate) fn be_mortal() {
    if rustix::process::geteuid().is_root() {
        // One that nobody has, nor another copy of this test.
        let user = 100_000 + std::process::id();
        // SAFETY: it has no preconditions.
        let changed = unsafe { nix::libc::setresuid(user, user, user) };
        assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
    }
}

/// Sets one limit of this process while `work` runs.
pub(crate) fn limited<R>(resource: Resource, limit: u64, work: impl FnOnce() -> R) -> R {
    let before = getrlimit(resource);
    let current = Some(limit);
    setrlimit(resource, Rlimit { current, ..before }).unwrap();
    let result = work();
    setrlimit(resource, before).unwrap();
    result
}
