//! Signals that interrupt whatever the threads of a server are waiting in, one after the other, and
//! buffers that hold next to nothing.

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
    every_byte_arrives_although_signals_come,
    a_timeout_is_over_although_signals_come,
    a_server_stops_although_signals_come,
);

/// Has SIGUSR1 do nothing, but interrupt.
fn be_interruptible() {
    extern "C" fn nothing(_: libc::c_int) {}
    // Without SA_RESTART: calls that it interrupts fail with EINTR.
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing, which is safe in signal context.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
}

/// Sends SIGUSR1 to every thread of the process, and of its children.
fn interrupt_all(process: u32) {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return; // it has ended
    };
    for thread in threads.flatten() {
        let number: i32 = thread.file_name().to_string_lossy().parse().unwrap();
        // SAFETY: it has no preconditions. The process is a child of this one that was not collected
        // yet, or a child of that, so it is no stranger that has the signal.
        unsafe { libc::syscall(libc::SYS_tgkill, process as i32, number, libc::SIGUSR1) };
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            interrupt_all(child.parse().unwrap());
        }
    }
}

/// Runs `work` while the process is being interrupted, without a pause.
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

/// A check that fails must not leave the storm behind, which its thread is waited for.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn every_byte_arrives_although_signals_come(kind: Kind) {
    let check = test_name!("every_byte_arrives_although_signals_come");
    let served = Served::start(check, kind, || {
        be_interruptible();
        serve(echo(), kind.strategy(), |options| {
            // The least there can be: every write is a short one.
            options.before_bind(|socket| {
                let socket = SockRef::from(&socket);
                socket.set_send_buffer_size(1)?;
                socket.set_recv_buffer_size(1)
            })
        });
    });
    let Some(served) = served else { return };
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
    let counts = served.stop();
    assert_eq!((counts.accepted, counts.completed), (4, 4), "{counts:?}");
}

fn a_timeout_is_over_although_signals_come(kind: Kind) {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let check = test_name!("a_timeout_is_over_although_signals_come");
    let served = Served::start(check, kind, || {
        be_interruptible();
        serve(echo(), kind.strategy(), |options| options.timeout(TIMEOUT));
    });
    let Some(served) = served else { return };
    under_signals(served.program.id(), || {
        let client = served.client();
        let start = Instant::now();
        client.expect_end();
        assert!(start.elapsed() >= TIMEOUT);
    });
    let counts = served.stop();
    assert_eq!((counts.accepted, counts.failed), (1, 1), "{counts:?}");
}

/// Both who waits for the end of the requests and who is cut off is interrupted.
fn a_server_stops_although_signals_come(kind: Kind) {
    let check = test_name!("a_server_stops_although_signals_come");
    let served = Served::start(check, kind, || {
        be_interruptible();
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
