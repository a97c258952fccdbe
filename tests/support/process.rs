//! Runs a program, types into it and reads what it prints. Nothing here waits without a bound, and
//! nothing sleeps.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

/// How long anything may take: far longer than it does, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Gives the signals that end a program their default effect. Under `nohup`, or in the background of a script,
/// some are ignored from the start, and would stay so.
#[allow(unsafe_code, reason = "nothing safe changes what a signal does")]
pub(crate) fn reset_signals() -> nix::Result<()> {
    for number in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the default runs no code in signal context.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Whether there is a Python to talk to. Where the variable `CI` is set, there has to be one.
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

/// A running program. Dropping it kills the program and waits for its end.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Output,
    stderr: Output,
}

/// What is left of a program that has ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// All that it printed, from its start.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// All that it printed, which must be text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is text")
    }

    /// The same, of a program that must have succeeded and complained about nothing.
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

    /// Starts a program with all of its streams captured.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        Self::start_without_stdout(command)
    }

    /// Starts a program whose standard output goes where the command says.
    #[allow(
        unsafe_code,
        reason = "nothing safe changes what the program starts with"
    )]
    pub(crate) fn start_without_stdout(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        // SAFETY: in the forked child, nothing but system calls is made.
        unsafe { command.pre_exec(|| Ok(reset_signals()?)) };
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

    /// Writes to its standard input. A program that is gone does not care.
    pub(crate) fn type_in(&mut self, text: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        let _ = stdin.write_all(text.as_ref()).and_then(|()| stdin.flush());
    }

    /// Ends its standard input, as Ctrl-D does.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next line that it prints, without the line end.
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

    /// Waits for it to print exactly this, for example a prompt.
    pub(crate) fn expect(&mut self, text: &str) {
        let printed = self.wait_for(text, |unread| {
            (unread.len() >= text.len()).then_some(text.len())
        });
        assert_eq!(String::from_utf8_lossy(&printed), text, "{self:?}");
    }

    /// Waits for it to print this, whatever it prints before.
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

    /// Reads the address of a server that prints `listening on ADDRESS` on standard error. The line
    /// is removed from there, so that [`Finished::success`] still rejects every other line.
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
            .unwrap_or_else(|| panic!("{line:?} is no address: {self:?}"))
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // The child has not been waited for, so the number is still its own.
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        kill(pid, signal).unwrap_or_else(|error| panic!("cannot signal {self:?}: {error}"));
    }

    /// Ends its input, and waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        self.end_input();
        while self.receive("its end") {}
        while !self.stderr.ended {
            if let Err(problem) = self.stderr.receive() {
                panic!("waited for its end: {problem}: {self:?}");
            }
        }
        let status = self.child.wait().expect("it can be waited for");
        Finished {
            status,
            stdout: std::mem::take(&mut self.stdout.bytes),
            stderr: String::from_utf8_lossy(&self.stderr.bytes).into_owned(),
        }
    }

    /// Kills it, and tells what it had printed.
    pub(crate) fn kill(self) -> Finished {
        self.signal(Signal::SIGKILL);
        self.finish()
    }

    /// Reads on until `complete` finds as many bytes as it wants among those unread.
    fn wait_for(&mut self, what: &str, complete: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        loop {
            if let Some(size) = complete(self.stdout.unread()) {
                return self.stdout.take(size);
            }
            if !self.receive(what) {
                // What it complained about comes with the end.
                while self.stderr.receive().is_ok_and(|more| more) {}
                panic!("it ended before it printed {what:?}: {self:?}");
            }
        }
    }

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

/// One stream of a program: a thread reads it, so that waiting for it can be bounded.
struct Output {
    pieces: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
    /// How much of `bytes` a test has asked for.
    read: usize,
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
            read: 0,
            ended: false,
        }
    }

    /// Waits for more. `false` at the end of the stream.
    fn receive(&mut self) -> Result<bool, String> {
        match self.pieces.recv_timeout(PATIENCE) {
            Ok(piece) => self.bytes.extend(piece),
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
            Err(RecvTimeoutError::Timeout) => return Err(format!("nothing for {PATIENCE:?}")),
        }
        Ok(!self.ended)
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    fn take(&mut self, size: usize) -> Vec<u8> {
        let taken = self.unread()[..size].to_vec();
        self.read += size;
        taken
    }
}

/// What runs a Python script; its path is relative to the package.
pub(crate) fn python(script: &str) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script);
    let mut command = Command::new("python3");
    // -u: prints at once; -B: leaves no compiled files behind; -S: starts faster.
    command.args(["-u", "-B", "-S", "-X", "utf8"]).arg(script);
    command
}

/// Where cargo put an example: next to the directory of the tests.
pub(crate) fn example_path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(2).expect("target/debug");
    let path = target.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing: `cargo test` builds the examples, `cargo test --test NAME` does not; \
         run `cargo build --examples` first",
        path.display()
    );
    path
}
