//! Writes reports to standard error, without waiting.
//!
//! A write to standard error can block without limit: the reader of a pipe is stuck, or Ctrl-S has stopped a
//! terminal. `std` also holds a lock meanwhile, for which every thread that prints then waits. Therefore this
//! module writes to the descriptor itself, and loses a report rather than wait for a reader. The number of
//! lost reports precedes the next report that can be written.
//!
//! | standard error is | a write does not wait because of |
//! | --- | --- |
//! | a socket, for example that of the systemd journal | `MSG_DONTWAIT` |
//! | a pipe, Linux 6.4 and later | `RWF_NOWAIT` |
//! | another pipe, a named one included | `poll(2)`: a writable pipe has space for `PIPE_BUF` bytes |
//! | a terminal | `poll(2)`, and [pieces](terminal_piece) that fit into the least space it reports |
//! | a file | the system does not wait for a reader (a network file system can still block) |
//!
//! After `poll(2)`, another process or thread may use the space first. Then the write blocks, as one through
//! `std` would have. `O_NONBLOCK` would prevent this, but it is a property of the open file, which other
//! processes share, and other writers of this process do not expect it.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileTypeExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

use nix::libc;
use rustix::io::Errno;

use crate::sys::fd::{AsFd, AsRawFd, BorrowedFd};
use crate::sys::flags::{NO_SIGNAL, SEND_WITHOUT_WAIT};
use crate::sys::poll::wait_writable;
use std::os::fd::FromRawFd;

/// Writes `text`, which ends with a line end, to standard error. Never waits for its reader. Works in a
/// forked child, too.
pub(crate) fn report(text: &str) {
    static REPORTS: Reports = Reports::new();
    // The handle is not locked: a thread that is blocked in `eprintln!` holds that lock.
    REPORTS.write(io::stderr().as_fd(), text);
}

/// Returns whether a write of a few bytes does not block at present. An error counts as writable, because a
/// write then returns it.
pub(super) fn is_writable(fd: BorrowedFd<'_>) -> bool {
    wait_writable([fd], Some(Duration::ZERO)).is_ok_and(|[ready]| ready)
}

/// The reports of this process.
struct Reports {
    /// Number of reports that were lost and not mentioned yet.
    lost: AtomicU64,
    /// The last report was cut in the middle of a line.
    is_cut: AtomicBool,
    /// Held while a report is written, so that reports of several threads do not mix.
    writing: Mutex<()>,
}

impl Reports {
    const fn new() -> Self {
        Self {
            lost: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
            writing: Mutex::new(()),
        }
    }

    fn write(&self, fd: BorrowedFd<'_>, text: &str) {
        let _writing = self.lock();
        let lost = self.lost.load(Ordering::Relaxed);
        let mut output = String::new();
        if self.is_cut.load(Ordering::Relaxed) {
            output.push('\n');
        }
        if lost > 0 {
            output += &format!(
                "socketserver: {lost} reports were lost, because standard error could not be written to\n"
            );
        }
        let notice = output.len();
        output += text;
        let written = write_some(fd, output.as_bytes());
        if written > 0 {
            let is_cut = output.as_bytes()[written - 1] != b'\n';
            self.is_cut.store(is_cut, Ordering::Relaxed);
        }
        if written >= notice {
            self.lost.fetch_sub(lost, Ordering::Relaxed);
        }
        if written < output.len() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for other reports, which do not wait for anything else. `None` after many attempts: in a forked
    /// child, the holder of the lock may not exist.
    fn lock(&self) -> Option<MutexGuard<'_, ()>> {
        for _ in 0..10_000 {
            match self.writing.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
        None
    }
}

/// Writes as much as possible without waiting, and returns the number of bytes.
fn write_some(fd: BorrowedFd<'_>, text: &[u8]) -> usize {
    let output = Output::of(fd);
    let mut written = 0;
    while written < text.len() {
        match output.write(fd, &text[written..]) {
            Ok(0) => break,
            Ok(size) => written += size,
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    written
}

/// Kind of a descriptor that is written to.
enum Output {
    Socket,
    Pipe,
    Terminal,
    File,
}

impl Output {
    fn of(fd: BorrowedFd<'_>) -> Self {
        // SAFETY: the descriptor stays open, because a `ManuallyDrop` does not close it.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd.as_raw_fd()) });
        match file.metadata().map(|data| data.file_type()) {
            Ok(kind) if kind.is_socket() => Self::Socket,
            Ok(kind) if kind.is_fifo() => Self::Pipe,
            Ok(kind) if kind.is_file() => Self::File,
            _ => Self::Terminal,
        }
    }

    /// Writes some of `text`; `AGAIN` if that would wait.
    fn write(&self, fd: BorrowedFd<'_>, text: &[u8]) -> Result<usize, Errno> {
        match self {
            // Elsewhere, a send waits despite the flag.
            Self::Socket if cfg!(kernel_waits) => {
                let flags = SEND_WITHOUT_WAIT | NO_SIGNAL;
                rustix::net::send(fd, text, flags)
            }
            Self::Pipe => write_to_pipe(fd, text),
            Self::Terminal | Self::Socket => write_if_writable(fd, terminal_piece(text)),
            Self::File => rustix::io::write(fd, text),
        }
    }
}

fn write_to_pipe(fd: BorrowedFd<'_>, text: &[u8]) -> Result<usize, Errno> {
    #[cfg(all(linux_api, target_os = "linux"))]
    {
        use std::io::IoSlice;

        use rustix::io::{ReadWriteFlags, pwritev2};

        // The offset means the position of the file; a pipe has none.
        match pwritev2(fd, &[IoSlice::new(text)], u64::MAX, ReadWriteFlags::NOWAIT) {
            // An older kernel, a named pipe, or a sandbox that does not allow the call.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => {}
            result => return result,
        }
    }
    write_if_writable(fd, pipe_piece(text))
}

#[allow(clippy::unnecessary_cast)] // its type depends on the system
const PIPE_BUF: usize = libc::PIPE_BUF as usize;

/// Returns the part of `text` that a writable pipe takes without waiting.
fn pipe_piece(text: &[u8]) -> &[u8] {
    &text[..text.len().min(PIPE_BUF)]
}

/// Writes `piece` if the descriptor is writable.
fn write_if_writable(fd: BorrowedFd<'_>, piece: &[u8]) -> Result<usize, Errno> {
    if !is_writable(fd) {
        return Err(Errno::AGAIN);
    }
    rustix::io::write(fd, piece)
}

/// Returns the part of `text` that a writable terminal takes without waiting: one control character, or up
/// to 128 bytes without one.
///
/// Linux counts the space of a pseudo-terminal in units of 256 bytes, takes the text up to a line end or tab
/// as one piece, and waits for further space before it converts that character.
fn terminal_piece(text: &[u8]) -> &[u8] {
    let size = match text.iter().position(u8::is_ascii_control) {
        Some(0) => 1,
        Some(position) => position,
        None => text.len(),
    };
    &text[..size.min(128)]
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::ptr::null_mut;
    use std::sync::mpsc;

    use super::*;
    use crate::sys::fd::OwnedFd;
    use crate::sys::poll::wait_readable;

    const REPORT: &str = "----\nException occurred\n----\n";
    const NOTICE: &str = " reports were lost, because standard error could not be written to";

    /// Fills `output` with reports, loses some more, reads everything, and writes again. Fails if a write
    /// waits.
    fn lose_and_resume<R, W>(reader: R, output: W)
    where
        R: Into<OwnedFd>,
        W: AsFd + Send + 'static,
    {
        let reader = File::from(reader.into());
        let (results, result) = mpsc::channel();
        thread::spawn(move || results.send(written_and_read(reader, &output)));
        let result = result.recv_timeout(Duration::from_secs(30));
        let (written, text) = result.expect("no write waits");

        let whole = REPORT.repeat(written);
        let rest = text
            .strip_prefix(&whole)
            .expect("all reports that were not lost");
        assert!(written > 10 && rest.contains(NOTICE), "{written} {rest}");
        let is_part = |line: &str| REPORT.lines().any(|whole| whole.starts_with(line));
        let is_notice = |line: &str| line.starts_with("socketserver: ") && line.ends_with(NOTICE);
        for line in rest.lines() {
            assert!(is_part(line) || is_notice(line) || line == "end", "{rest}");
        }
    }

    /// Returns the number of reports that were written before one was lost, and everything that was read.
    fn written_and_read(mut reader: File, output: &impl AsFd) -> (usize, String) {
        let reports = Reports::new();
        let lost = || reports.lost.load(Ordering::Relaxed);
        let mut written = 0;
        loop {
            reports.write(output.as_fd(), REPORT);
            if lost() > 0 {
                break;
            }
            written += 1;
        }
        reports.write(output.as_fd(), REPORT);
        assert_eq!(lost(), 2);

        let mut text = Vec::new();
        let mut buffer = vec![0; 100_000];
        while lost() > 0 {
            while wait_readable([reader.as_fd()], Some(Duration::ZERO)).unwrap() == [true] {
                let size = reader.read(&mut buffer).unwrap();
                text.extend(&buffer[..size]);
            }
            // The system may make the space of a terminal available later.
            reports.write(output.as_fd(), "end\n");
        }
        // A terminal writes "\r\n".
        text.retain(|&byte| byte != b'\r');
        while !text.ends_with(b"end\n") {
            let size = reader.read(&mut buffer).unwrap();
            text.extend(buffer[..size].iter().filter(|&&byte| byte != b'\r'));
        }
        (written, String::from_utf8(text).unwrap())
    }

    fn terminal() -> (OwnedFd, OwnedFd) {
        let (mut master, mut terminal) = (-1, -1);
        // SAFETY: the call writes to the two numbers, and reads nothing.
        let opened = unsafe {
            libc::openpty(
                &mut master,
                &mut terminal,
                null_mut(),
                null_mut(),
                null_mut(),
            )
        };
        assert_eq!(opened, 0, "{}", io::Error::last_os_error());
        // SAFETY: both descriptors are new, and have no other owner.
        unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(terminal)) }
    }

    #[test]
    fn a_pipe_that_is_not_read_loses_reports() {
        let (reader, writer) = io::pipe().unwrap();
        lose_and_resume(reader, writer);
    }

    #[test]
    fn a_socket_that_is_not_read_loses_reports() {
        let (reader, writer) = UnixStream::pair().unwrap();
        lose_and_resume(reader, writer);
    }

    #[test]
    fn a_terminal_that_is_not_read_loses_reports() {
        let (master, terminal) = terminal();
        lose_and_resume(master, terminal);
    }

    #[test]
    fn a_stopped_terminal_loses_reports() {
        let (_master, terminal) = terminal();
        // SAFETY: the descriptor is open. The call stops the output, as Ctrl-S does.
        let stopped = unsafe { libc::tcflow(terminal.as_raw_fd(), libc::TCOOFF) };
        assert_eq!(stopped, 0, "{}", io::Error::last_os_error());
        let reports = Reports::new();
        reports.write(terminal.as_fd(), REPORT);
        assert_eq!(reports.lost.into_inner(), 1);
    }

    #[test]
    fn a_pipe_without_nowait_is_written_to_in_pieces() {
        let (reader, writer) = io::pipe().unwrap();
        let text = "x".repeat(2 * libc::PIPE_BUF + 10);
        let mut sizes = Vec::new();
        let mut rest = text.as_bytes();
        while let Ok(size) = write_if_writable(writer.as_fd(), pipe_piece(rest)) {
            sizes.push(size);
            rest = &rest[size..];
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(sizes, [libc::PIPE_BUF, libc::PIPE_BUF, 10]);
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), text);
    }

    #[test]
    fn a_closed_pipe_loses_reports() {
        let (_, writer) = io::pipe().unwrap();
        let reports = Reports::new();
        reports.write(writer.as_fd(), REPORT);
        assert_eq!(reports.lost.into_inner(), 1);
    }

    #[test]
    fn a_lock_without_holder_does_not_stop_reports() {
        let (reader, writer) = io::pipe().unwrap();
        let reports = Reports::new();
        let _held = reports.writing.lock();
        reports.write(writer.as_fd(), REPORT);
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), REPORT);
    }
}
