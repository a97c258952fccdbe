//! Waits for descriptors, with `poll(2)`.
//!
//! `poll` has two advantages over `epoll`: it keeps no state in the kernel, so a forked child cannot
//! disturb its parent through an inherited epoll set; and it is as fast with two or three descriptors.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::RecvFlags;

use crate::errno::Errno;
use crate::sys::descriptor;
use crate::sys::fd::{AsFd, BorrowedFd};
use crate::sys::flags::{NO_SIGNAL, RECV_WITHOUT_WAIT, SEND_WITHOUT_WAIT};

/// Direction of a transfer through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive,
    Send,
}

/// Interval between two polls for space to send to a client that has ended its side. Windows reports that end to
/// every poll, which then does not wait for the space.
const SEND_INTERVAL: Duration = Duration::from_millis(10);

/// Longest wait for space to send to several clients. On Windows, a shutdown by another thread does not end it.
const MAX_SEND_WAIT: Duration = if cfg!(poll_sees_shutdown) {
    Duration::MAX
} else {
    Duration::from_millis(100)
};

/// Waits until at least one of `fds` is readable or `timeout` expires. Returns for each whether it is
/// readable. A descriptor with an error counts as readable, because a read then returns the error.
/// `None` waits without limit.
///
/// After a signal, the wait continues for the rest of the timeout.
pub(crate) fn wait_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    wait(fds, PollFlags::IN, timeout)
}

/// Waits until at least one of `fds` is writable; see [`wait_readable`].
pub(crate) fn wait_writable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    if cfg!(poll_sees_shutdown) {
        return wait(fds, PollFlags::OUT, timeout);
    }
    let polled = fds.map(|fd| (fd, PollFlags::OUT));
    let ready = wait_until_ready(&polled, timeout)?;
    Ok(std::array::from_fn(|index| !ready[index].is_empty()))
}

/// Waits for any number of descriptors; see [`wait_readable`].
pub(crate) fn wait_any_readable<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let poll_fd = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut polled: Vec<_> = fds.into_iter().map(poll_fd).collect();
    poll(&mut polled, timeout)?;
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

/// Waits for any number of descriptors to become writable; see [`wait_readable`]. May return early.
pub(crate) fn wait_any_writable<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    timeout: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let polled: Vec<_> = fds.into_iter().map(|fd| (fd, PollFlags::OUT)).collect();
    let timeout = match timeout {
        None if cfg!(poll_sees_shutdown) => None,
        timeout => Some(timeout.map_or(MAX_SEND_WAIT, |timeout| timeout.min(MAX_SEND_WAIT))),
    };
    let ready = wait_until_ready(&polled, timeout)?;
    Ok(ready.iter().map(|flags| !flags.is_empty()).collect())
}

/// Waits until at least one of several descriptors is ready in the way that its flags ask for, or `timeout` expires,
/// and returns the flags that `poll(2)` reports. They are empty for a descriptor that is not ready.
pub(super) fn wait_until_ready(
    polled: &[(BorrowedFd<'_>, PollFlags)],
    timeout: Option<Duration>,
) -> io::Result<Vec<PollFlags>> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut is_skipped = vec![false; polled.len()];
    loop {
        let waiting = polled.iter().zip(&is_skipped);
        let mut fds: Vec<_> = waiting
            .filter(|(_, is_skipped)| !**is_skipped)
            .map(|(&(fd, flags), _)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        let mut left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if fds.len() < polled.len() {
            left = Some(left.map_or(SEND_INTERVAL, |left| left.min(SEND_INTERVAL)));
        }
        poll(&mut fds, left)?;
        let mut results = fds.iter().map(PollFd::revents);
        let mut ready = vec![PollFlags::empty(); polled.len()];
        for (index, &(fd, wanted)) in polled.iter().enumerate() {
            if std::mem::take(&mut is_skipped[index]) {
                continue;
            }
            let flags = results.next().unwrap_or(PollFlags::empty());
            let is_for_space = !wanted.intersects(PollFlags::IN);
            if is_for_space && is_end_of_input_only(fd, flags) {
                is_skipped[index] = true;
            } else {
                ready[index] = flags;
            }
        }
        let is_expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_expired || ready.iter().any(|flags| !flags.is_empty()) {
            return Ok(ready);
        }
    }
}

/// Returns whether the flags of a poll, for space to send or for nothing, say only that the client has ended its
/// side. On Unix, a hang-up without `OUT` says that nothing can be sent any more, and macOS says so in no other way.
fn is_end_of_input_only(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
    cfg!(not(poll_sees_shutdown)) && flags == PollFlags::HUP && !is_send_shut_down(fd)
}

/// Returns whether a send would fail, because the sending side is shut down or the connection is broken.
pub(super) fn is_send_shut_down(fd: BorrowedFd<'_>) -> bool {
    descriptor::prepare_without_wait(fd);
    match rustix::net::send(fd, &[], SEND_WITHOUT_WAIT | NO_SIGNAL) {
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => false,
        Err(_) => true,
    }
}

/// Returns whether the other side of a stream socket has ended its sending side or is gone. Also `true` if
/// this side has shut down its reads.
pub(crate) fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(fd, HANG_UP)];
    poll(&mut polled, Some(Duration::ZERO)).is_ok() && shows_hang_up(fd, polled[0].revents())
}

/// Returns whether a stream socket is shut down in both directions, or has an error.
pub(crate) fn is_broken(fd: BorrowedFd<'_>) -> bool {
    if cfg!(target_vendor = "apple") {
        // `poll` reports nothing about a descriptor for which it was asked for nothing. A socket that has
        // ended in both directions has no peer.
        return rustix::net::getpeername(fd).is_err();
    }
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    let is_polled = poll(&mut polled, Some(Duration::ZERO)).is_ok();
    let flags = polled[0].revents();
    is_polled && !flags.is_empty() && !is_end_of_input_only(fd, flags)
}

/// Waits until the other side of a stream socket [hangs up](is_hung_up), or until `waker` is readable. Returns
/// whether it has hung up.
pub(crate) fn wait_for_hang_up(fd: BorrowedFd<'_>, waker: impl AsFd) -> io::Result<bool> {
    let socket = PollFd::from_borrowed_fd(fd, HANG_UP);
    let mut polled = [
        socket,
        PollFd::from_borrowed_fd(waker.as_fd(), PollFlags::IN),
    ];
    let interval = cfg!(not(poll_sees_shutdown)).then_some(HANG_UP_INTERVAL);
    loop {
        poll(&mut polled, interval)?;
        let [flags, woken] = [&polled[0], &polled[1]].map(PollFd::revents);
        if shows_hang_up(fd, flags) {
            return Ok(true);
        }
        if !woken.is_empty() {
            return Ok(false);
        }
        if !flags.is_empty() {
            // Unread input, which is readable as long as the handler does not read it.
            poll(&mut polled[1..], Some(HANG_UP_INTERVAL))?;
        }
    }
}

/// Returns whether the flags of a poll for [`HANG_UP`] mean a hang-up.
fn shows_hang_up(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
    if HANG_UP.contains(PollFlags::IN) {
        return flags.intersects(BROKEN) || is_at_end(fd);
    }
    !flags.is_empty()
}

/// Returns whether the next read would return the end of the stream or an error.
fn is_at_end(fd: BorrowedFd<'_>) -> bool {
    if RECV_WITHOUT_WAIT.is_empty() {
        descriptor::prepare_without_wait(fd);
    }
    let flags = RecvFlags::PEEK | RECV_WITHOUT_WAIT;
    match rustix::net::recv(fd, &mut [0; 1][..], flags) {
        Ok((_, size)) => size == 0,
        Err(error) => error != Errno::AGAIN && error != Errno::INTR,
    }
}

/// Events that are asked for to learn of a hang-up.
#[cfg(linux_api)]
const HANG_UP: PollFlags = PollFlags::RDHUP;
/// The end of the other side is readable. macOS reports it as `HUP`, too, also behind unread input.
#[cfg(not(linux_api))]
const HANG_UP: PollFlags = PollFlags::IN;

/// Flags that are reported without being asked for.
const BROKEN: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// Interval between two looks for a hang-up while unread input is left.
const HANG_UP_INTERVAL: Duration = Duration::from_millis(200);

fn wait<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    readiness: PollFlags,
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, readiness));
    poll(&mut polled, timeout)?;
    Ok(polled.map(|fd| !fd.revents().is_empty()))
}

/// Longest time of one call. Systems without `ppoll(2)` count milliseconds in 32 bits.
const MAX_WAIT: Duration = if cfg!(linux_api) {
    Duration::MAX
} else {
    Duration::from_secs(24 * 60 * 60)
};

/// Largest number of descriptors of one call. macOS fails a call with more.
const MAX_POLLED: usize = if cfg!(target_vendor = "apple") {
    10_240 // OPEN_MAX
} else {
    isize::MAX as usize // more than any slice has
};

fn poll(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    if polled.len() > MAX_POLLED {
        return poll_in_parts(polled, timeout, MAX_POLLED);
    }
    poll_at_once(polled, timeout)
}

/// Interval between two polls of all descriptors if one call cannot wait for all of them.
const PARTS_INTERVAL: Duration = Duration::from_millis(10);

/// Waits for more descriptors than the `size` of one call. The call that waits has only the first of them, so that the
/// others are seen a little later.
#[cold]
fn poll_in_parts(
    polled: &mut [PollFd<'_>],
    timeout: Option<Duration>,
    size: usize,
) -> io::Result<()> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let mut is_ready = false;
        for part in polled.chunks_mut(size) {
            poll_at_once(part, Some(Duration::ZERO))?;
            is_ready |= part.iter().any(|fd| !fd.revents().is_empty());
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if is_ready || left == Some(Duration::ZERO) {
            return Ok(());
        }
        let interval = left.map_or(PARTS_INTERVAL, |left| left.min(PARTS_INTERVAL));
        poll_at_once(&mut polled[..size], Some(interval))?;
    }
}

fn poll_at_once(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    // The clock is read once, and again only after a signal or a part of a long wait.
    let started = timeout.map(|_| Instant::now());
    let mut remaining = timeout;
    loop {
        let time = remaining.map(|remaining| remaining.min(MAX_WAIT));
        let ready = match time {
            // Some systems fail if there is nothing to poll.
            Some(time) if cfg!(not(linux_api)) && polled.is_empty() => {
                thread::sleep(time);
                Ok(0)
            }
            _ => rustix::event::poll(polled, time.map(timespec).as_ref()),
        };
        match ready {
            Ok(0) if remaining.is_some_and(|remaining| remaining > MAX_WAIT) => {}
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let elapsed = started.map(|started| started.elapsed());
        remaining = timeout
            .zip(elapsed)
            .map(|(timeout, elapsed)| timeout.saturating_sub(elapsed));
    }
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos() as _,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;
    use crate::sys::interrupt;
    use crate::sys::transfer;

    /// Returns both sides of a connection: of the server, which has no space to send left, and of the client, which
    /// has ended its output.
    fn full_and_half_closed() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(wait_readable([server.as_fd()], None).unwrap(), [true]);
        loop {
            match server.write(&[0; 65_536]) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            // Bytes that are under way may leave space after a while.
            let soon = Some(Duration::from_millis(200));
            let has_space = interrupt::wait(server.as_fd(), Direction::Send, soon);
            if !has_space.unwrap() {
                return (server, client);
            }
        }
    }

    #[test]
    fn the_end_of_the_input_is_no_space_to_send() {
        let (server, _client) = full_and_half_closed();
        let fd = server.as_fd();
        for time in [Duration::ZERO, Duration::from_millis(30)] {
            let started = Instant::now();
            assert_eq!(wait_writable([fd], Some(time)).unwrap(), [false]);
            assert_eq!(wait_any_writable([fd, fd], Some(time)).unwrap(), [false; 2]);
            assert!(!interrupt::wait(fd, Direction::Send, Some(time)).unwrap());
            assert!(started.elapsed() >= time * 3);
        }
        transfer::shutdown(fd, Shutdown::Both).unwrap();
        assert_eq!(wait_writable([fd], None).unwrap(), [true]);
        assert!(interrupt::wait(fd, Direction::Send, None).unwrap());
    }

    #[test]
    fn more_descriptors_than_one_call_takes_are_polled() {
        let wakers = [(); 5].map(|()| crate::sys::waker::Waker::new().unwrap());
        let poll_fd = |waker| PollFd::from_borrowed_fd(AsFd::as_fd(waker), PollFlags::IN);
        let mut polled: Vec<_> = wakers.iter().map(poll_fd).collect();
        let ready = |polled: &[PollFd<'_>]| -> Vec<usize> {
            let is_ready = |index: &usize| !polled[*index].revents().is_empty();
            (0..polled.len()).filter(is_ready).collect()
        };
        for size in 1..5 {
            for time in [Duration::ZERO, 2 * PARTS_INTERVAL] {
                let started = Instant::now();
                poll_in_parts(&mut polled, Some(time), size).unwrap();
                assert!(ready(&polled).is_empty() && started.elapsed() >= time);
            }
            thread::scope(|scope| {
                scope.spawn(|| wakers[4].wake());
                poll_in_parts(&mut polled, None, size).unwrap();
                assert_eq!(ready(&polled), [4]);
            });
            wakers[0].wake();
            poll_in_parts(&mut polled, None, size).unwrap();
            assert_eq!(ready(&polled), [0, 4]);
            wakers.iter().for_each(crate::sys::waker::Waker::drain);
        }
    }

    #[test]
    fn a_hang_up_is_seen() {
        let waker = crate::sys::waker::Waker::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let fd = server.as_fd();
        assert!(!is_hung_up(fd) && !is_broken(fd));
        waker.wake();
        assert!(!wait_for_hang_up(fd, &waker).unwrap());
        (&client).write_all(b"unread").unwrap();
        assert_eq!(wait_readable([fd], None).unwrap(), [true]);
        assert!(!is_hung_up(fd) && !is_broken(fd));
        assert!(!wait_for_hang_up(fd, &waker).unwrap());
        waker.drain();
        transfer::discard_input(fd);
        client.shutdown(Shutdown::Write).unwrap();
        assert!(wait_for_hang_up(fd, &waker).unwrap());
        assert!(is_hung_up(fd) && !is_broken(fd));
        transfer::shutdown(fd, Shutdown::Both).unwrap();
        assert!(is_hung_up(fd));
    }
}
