//! Runs tests in a process of their own, because resource limits, users and signals belong to a whole process.

use std::process::Command;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::kinds::Kind;
use super::process::{Finished, Program};

/// Environment variable with the name of the only test that a process runs.
const ALONE: &str = "SOCKETSERVER_TEST_ALONE";

/// Path of a test of the calling module, as libtest lists it.
macro_rules! test_name {
    ($test:expr) => {
        $crate::support::alone::without_program(concat!(module_path!(), "::", $test))
    };
}

pub(crate) use test_name;

/// Removes the name of the test program from the path of a test, because libtest leaves it out.
pub(crate) fn without_program(path: &'static str) -> &'static str {
    path.split_once("::").expect("the path of a test").1
}

/// Path of the test that `by_kind!` makes of a function.
fn of_kind(check: &str, kind: Kind) -> String {
    format!("{check}::{}", kind.name().replace('-', "_"))
}

/// Returns whether this process was started by [`command`] for this test.
pub(crate) fn is_alone(test: &str) -> bool {
    std::env::var(ALONE).is_ok_and(|name| name == test)
}

/// Returns whether this process runs only one test.
pub(crate) fn is_apart() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Command that runs one test, ignored or not, in a new process.
pub(crate) fn command(test: &str) -> Command {
    with_arguments(Command::new(std::env::current_exe().unwrap()), test)
}

/// Adds the arguments that run one test to a command that ends with the path of this program.
pub(crate) fn with_arguments(mut command: Command, test: &str) -> Command {
    command
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .args(["--test-threads", "1"])
        .env(ALONE, test);
    command
}

/// Runs one test in a new process, which has to succeed.
#[track_caller]
pub(crate) fn run(test: &str) -> Finished {
    passed(Program::start(command(test)))
}

/// Waits for the end of a process of [`command`], which has to succeed.
#[track_caller]
pub(crate) fn passed(program: Program) -> Finished {
    let ended = program.finish();
    let printed = ended.text();
    let succeeded = ended.status.success() && printed.contains("1 passed");
    assert!(succeeded, "{}: {printed}{}", ended.status, ended.stderr);
    ended
}

/// Runs `work`, the body of the test of this name, in a process of its own.
#[track_caller]
pub(crate) fn apart(test: &str, work: impl FnOnce()) {
    if is_alone(test) {
        return work();
    }
    run(test);
}

/// Returns whether this is the process of the test that `by_kind!` makes of `check` for `kind`.
pub(crate) fn is_kind_alone(check: &str, kind: Kind) -> bool {
    is_alone(&of_kind(check, kind))
}

/// Starts the process of the test that `by_kind!` makes of `check` for `kind`. It runs the calling function again.
pub(crate) fn start(check: &str, kind: Kind) -> Program {
    Program::start(command(&of_kind(check, kind)))
}

/// Runs `work`, the body of a test made by `by_kind!`, in a process of its own. `check` is the [`test_name!`] of
/// the function given to `by_kind!`.
#[track_caller]
pub(crate) fn alone(check: &str, kind: Kind, work: impl FnOnce()) {
    if is_kind_alone(check, kind) {
        return work();
    }
    passed(start(check, kind));
}

/// Makes this process subject to the limit on the number of processes, because root is exempt from it.
#[allow(
    unsafe_code,
    reason = "only the C library changes the user of all threads"
)]
#[cfg(unix)]
pub(crate) fn drop_root_privileges() {
    if rustix::process::geteuid().is_root() {
        // A user without processes, and different in each process that runs this test.
        let user = 100_000 + std::process::id();
        // SAFETY: `setuid` has no preconditions.
        let changed = unsafe { nix::libc::setuid(user) };
        assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
    }
}

/// Sets a resource limit of this process while `work` runs.
#[cfg(unix)]
pub(crate) fn limited<R>(resource: Resource, limit: u64, work: impl FnOnce() -> R) -> R {
    let before = getrlimit(resource);
    let current = Some(limit);
    setrlimit(resource, Rlimit { current, ..before }).unwrap();
    let result = work();
    setrlimit(resource, before).unwrap();
    result
}
