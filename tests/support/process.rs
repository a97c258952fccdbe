//! Runs a program, writes to its standard input and reads its output. Every wait has a time limit, and nothing
//! sleeps.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use nix::sys::signal::{SigHandler, Signal, kill, signal};
#[cfg(unix)]
use nix::unistd::Pid;

/// Time limit of every wait: far longer than any of them takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Restores the default action of the signals that end a program, because `nohup` and background jobs of scripts
/// start programs with some of them ignored.
#[allow(unsafe_code, reason = "no safe function changes a signal's action")]
#[cfg(unix)]
pub(crate) fn reset_signals() -> nix::Result<()> {
    for number in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the default action runs no code in signal context.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Returns whether this process ignores a signal of [`reset_signals`], which the programs it starts inherit.
#[cfg(unix)]
#[allow(unsafe_code, reason = "no safe function reads a signal's action")]
fn signals_are_ignored() -> bool {
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    signals.into_iter().any(|number| {
        // SAFETY: all of its bytes may be zero.
        let mut action: nix::libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: the call changes nothing and writes an action.
        let read =
            unsafe { nix::libc::sigaction(number as i32, std::ptr::null(), &raw mut action) };
        assert_eq!(read, 0, "{}", std::io::Error::last_os_error());
        action.sa_sigaction == nix::libc::SIG_IGN
    })
}

/// Returns whether Python is installed. Panics if it is not and the environment variable `CI` is set.
pub(crate) fn python_is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = *THERE.get_or_init(|| Command::new("python3").arg("--version").output().is_ok());
    if !there {
        assert!(
            std::env::var_os("CI").is_none(),
            "python3 is needed: CI is set"
        );
        eprintln!("skipped: python3 is not installed");
    }
    there
}

/// A running program. Dropping this value kills the program and waits for its end.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Output,
    stderr: Output,
}

/// Exit status and output of a program that has ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// The whole standard output.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// Returns the standard output, which must be text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is text")
    }

    /// Returns the standard output of a program that must have succeeded and printed nothing on standard error.
    pub(crate) fn success(&self) -> &str {
        assert!(self.status.success(), "{}: {}", self.status, self.stderr);
        assert_eq!(self.stderr, "");
        self.text()
    }
}

impl Program {
    /// Starts one of the programs in `examples/`.
    pub(crate) fn example(name: &str, arguments: &[impl AsRef<OsStr>]) -> Self {
        let mut command = Command::new(example_path(name));
        command.args(arguments);
        Self::start(command)
    }

    /// Starts a Python script; its path is relative to the package.
    pub(crate) fn python(script: &str, arguments: &[impl AsRef<OsStr>]) -> Self {
        let mut command = python(script);
        command.args(arguments);
        Self::start(command)
    }

    /// Starts a program and captures all of its streams.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        Self::start_without_stdout(command)
    }

    /// Starts a program with the standard output of the command.
    #[cfg_attr(
        unix,
        allow(
            unsafe_code,
            reason = "no safe function runs code before the program starts"
        )
    )]
    pub(crate) fn start_without_stdout(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        // Only where it is needed: with `pre_exec` the standard library forks, which copies the page tables of the
        // test program, and keeps copies of the sockets of all tests until the new program starts.
        #[cfg(unix)]
        if signals_are_ignored() {
            // SAFETY: the forked child makes only system calls.
            unsafe { command.pre_exec(|| Ok(reset_signals()?)) };
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            stdin: child.stdin.take(),
            stdout: Output::read(child.stdout.take()),
            stderr: Output::read(child.stderr.take()),
            name,
            child,
        }
    }

    /// Writes to the standard input. A program that has ended is not an error.
    pub(crate) fn type_in(&mut self, text: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        let _ = stdin.write_all(text.as_ref()).and_then(|()| stdin.flush());
    }

    /// Closes the standard input, as Ctrl-D does.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line of the standard output and returns it without the line end.
    pub(crate) fn line(&mut self) -> String {
        let line = self.wait_for("a line", |unread| {
            let end = unread.iter().position(|&byte| byte == b'\n')?;
            Some(end + 1)
        });
        String::from_utf8(line)
            .expect("the output is text")
            .trim_end_matches('\n')
            .to_owned()
    }

    /// Waits until the next output is exactly `text`, for example a prompt.
    pub(crate) fn expect(&mut self, text: &str) {
        let printed = self.wait_for(text, |unread| {
            (unread.len() >= text.len()).then_some(text.len())
        });
        assert_eq!(String::from_utf8_lossy(&printed), text, "{self:?}");
    }

    /// Waits until the output contains `text`, and skips everything before it.
    pub(crate) fn wait_for_text(&mut self, text: &str) {
        self.wait_for(text, |unread| {
            let mut places = unread.windows(text.len());
            Some(places.position(|place| place == text.as_bytes())? + text.len())
        });
    }

    /// Reads the address of a server whose first line is `listening on ADDRESS`.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.line();
        self.parse_address(&line)
    }

    /// Reads the address of a server that prints `listening on ADDRESS` on standard error. Removes this line, so
    /// that [`Finished::success`] still rejects every other line.
    pub(crate) fn address_on_stderr(&mut self) -> SocketAddr {
        let end = loop {
            if let Some(end) = self.stderr.bytes.iter().position(|&byte| byte == b'\n') {
                break end;
            }
            let more = self.stderr.receive();
            assert_eq!(more, Ok(true), "waited for the address: {self:?}");
        };
        let line: Vec<_> = self.stderr.bytes.drain(..=end).collect();
        self.parse_address(String::from_utf8_lossy(&line).trim_end())
    }

    fn parse_address(&self, line: &str) -> SocketAddr {
        line.strip_prefix("listening on ")
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("{line:?} contains no address: {self:?}"))
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: Signal) {
        // The program has not been reaped, so the process id is still its own.
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        kill(pid, signal).unwrap_or_else(|error| panic!("cannot signal {self:?}: {error}"));
    }

    /// Closes the standard input and waits for the end of the program.
    pub(crate) fn finish(mut self) -> Finished {
        self.end_input();
        while self.receive("the end of the program") {}
        while !self.stderr.ended {
            if let Err(problem) = self.stderr.receive() {
                panic!("waited for the end of the program: {problem}: {self:?}");
            }
        }
        let status = self.child.wait().expect("the program can be reaped");
        Finished {
            status,
            stdout: std::mem::take(&mut self.stdout.bytes),
            stderr: String::from_utf8_lossy(&self.stderr.bytes).into_owned(),
        }
    }

    /// Kills the program and returns its output.
    pub(crate) fn kill(mut self) -> Finished {
        let killed = self.child.kill();
        killed.unwrap_or_else(|error| panic!("cannot kill {self:?}: {error}"));
        self.finish()
    }

    /// Receives output until `complete` returns how many of the unread bytes to take, and returns these.
    fn wait_for(&mut self, what: &str, complete: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        loop {
            if let Some(size) = complete(self.stdout.unread()) {
                return self.stdout.take(size);
            }
            if !self.receive(what) {
                // The panic message shows the rest of standard error.
                while self.stderr.receive().is_ok_and(|more| more) {}
                panic!("the program ended before it printed {what:?}: {self:?}");
            }
        }
    }

    /// Waits for more standard output. `false` at its end.
    fn receive(&mut self, what: &str) -> bool {
        match self.stdout.receive() {
            Ok(more) => more,
            Err(problem) => panic!("waited for {what:?}: {problem}: {self:?}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .field("stdout", &String::from_utf8_lossy(&self.stdout.bytes))
            .field("stderr", &String::from_utf8_lossy(&self.stderr.bytes))
            .finish()
    }
}

/// One output stream of a program. A thread reads it, so that a wait for output can have a time limit.
struct Output {
    pieces: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
    /// Number of `bytes` that a test has taken.
    taken: usize,
    ended: bool,
}

impl Output {
    fn read(stream: Option<impl Read + Send + 'static>) -> Self {
        let (sender, pieces) = channel();
        if let Some(mut stream) = stream {
            thread::spawn(move || {
                let mut piece = [0; 8192];
                while let Ok(size @ 1..) = stream.read(&mut piece) {
                    if sender.send(piece[..size].to_vec()).is_err() {
                        break;
                    }
                }
            });
        }
        Self {
            pieces,
            bytes: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    /// Waits for more. `false` at the end of the stream.
    fn receive(&mut self) -> Result<bool, String> {
        match self.pieces.recv_timeout(PATIENCE) {
            Ok(piece) => self.bytes.extend(piece),
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
            Err(RecvTimeoutError::Timeout) => return Err(format!("no output for {PATIENCE:?}")),
        }
        Ok(!self.ended)
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn take(&mut self, size: usize) -> Vec<u8> {
        let taken = self.unread()[..size].to_vec();
        self.taken += size;
        taken
    }
}

/// Command that runs a Python script; its path is relative to the package.
pub(crate) fn python(script: &str) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script);
    let mut command = Command::new("python3");
    // -u: unbuffered output; -B: no compiled files; -S: a faster start.
    command.args(["-u", "-B", "-S", "-X", "utf8"]).arg(script);
    command
}

/// Path of a built example, in the directory next to that of the tests.
pub(crate) fn example_path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(2).expect("target/debug");
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = target.join("examples").join(file);
    assert!(
        path.exists(),
        "{} is missing: `cargo test` builds the examples, `cargo test --test NAME` does not; \
         run `cargo build --examples` first",
        path.display()
    );
    path
}
