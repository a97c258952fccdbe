//! Signals that continuously interrupt the system calls of a server's threads, and socket buffers of the
//! smallest size.

#![allow(unsafe_code, reason = "signals to single threads")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use socket2::SockRef;
use socketserver::transport::Tcp;

use crate::faults::served::{Served, echo, serve};
use crate::support::alone::test_name;
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(
    signals_do_not_lose_bytes,
    signals_do_not_extend_a_timeout,
    signals_do_not_prevent_a_stop,
);

/// Installs a handler for SIGUSR1 that does nothing, so that the signal only interrupts system calls.
fn make_interruptible() {
    extern "C" fn nothing(_: libc::c_int) {}
    // Without SA_RESTART, interrupted calls fail with EINTR.
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing, which is safe in signal context.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
}

/// Sends SIGUSR1 to every thread of the process and of its child processes.
fn interrupt_all(process: u32) {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return; // the process has ended
    };
    for thread in threads.flatten() {
        let number: i32 = thread.file_name().to_string_lossy().parse().unwrap();
        // SAFETY: the call has no preconditions. The process is a child of this one that was not reaped
        // yet, or a child of that child, so the signal reaches no unrelated process.
        unsafe { libc::syscall(libc::SYS_tgkill, process as i32, number, libc::SIGUSR1) };
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            interrupt_all(child.parse().unwrap());
        }
    }
}

/// Runs `work` while the process is interrupted without a pause.
fn under_signals<R>(process: u32, work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                interrupt_all(process);
                thread::yield_now();
            }
        });
        let _done = SetOnDrop(&done);
        work()
    })
}

/// Sets a flag when it is dropped, so that the thread that sends signals ends even if a check fails. The
/// scope waits for that thread.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn signals_do_not_lose_bytes(kind: Kind) {
    let check = test_name!("signals_do_not_lose_bytes");
    let served = Served::start(check, kind, || {
        make_interruptible();
        serve(echo(), kind.strategy(), |options| {
            // The smallest buffers, so that every write is partial.
            options.before_bind(|socket| {
                let socket = SockRef::from(&socket);
                socket.set_send_buffer_size(1)?;
                socket.set_recv_buffer_size(1)
            })
        });
    });
    let Some(mut served) = served else { return };
    under_signals(served.program.id(), || {
        thread::scope(|scope| {
            for number in 0..4 {
                let address = served.address;
                scope.spawn(move || {
                    let client = Tcp::connect(&address);
                    let data: Vec<u8> = (0..300_000).map(|n| (n / 7 + number) as u8).collect();
                    let answer = thread::scope(|scope| {
                        scope.spawn(|| {
                            client.send(&data);
                            client.finish();
                        });
                        client.exactly(data.len())
                    });
                    assert!(answer == data, "{kind:?}: not what was sent");
                    client.expect_end();
                });
            }
        });
    });
    served.wait_for_completed(4);
    let counts = served.stop();
    assert_eq!((counts.accepted, counts.completed), (4, 4), "{counts:?}");
}

fn signals_do_not_extend_a_timeout(kind: Kind) {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let check = test_name!("signals_do_not_extend_a_timeout");
    let served = Served::start(check, kind, || {
        make_interruptible();
        serve(echo(), kind.strategy(), |options| options.timeout(TIMEOUT));
    });
    let Some(served) = served else { return };
    under_signals(served.program.id(), || {
        let start = Instant::now();
        let client = served.client();
        client.expect_end();
        assert!(start.elapsed() >= TIMEOUT);
    });
    let counts = served.stop();
    assert_eq!((counts.accepted, counts.failed), (1, 1), "{counts:?}");
}

/// The signals interrupt both the wait for running requests and the force-closed handler.
fn signals_do_not_prevent_a_stop(kind: Kind) {
    let check = test_name!("signals_do_not_prevent_a_stop");
    let served = Served::start(check, kind, || {
        make_interruptible();
        serve(echo(), kind.strategy(), |options| options);
    });
    let Some(served) = served else { return };
    let idle = served.client();
    assert_eq!(idle.ask("hello\n"), "hello\n");
    let process = served.program.id();
    let counts = under_signals(process, || served.stop());
    assert_eq!((counts.accepted, counts.force_closed), (1, 1), "{counts:?}");
    idle.expect_end();
}
