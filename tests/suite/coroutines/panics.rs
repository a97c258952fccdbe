//! Handlers that panic, and stack sizes.

#[cfg(unix)]
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use nix::sys::signal::Signal;
use socketserver::transport::Tcp;
use socketserver::{
    CoroutineTcpServer, Coroutines, Request, Sender, Stage, TcpRequest, blocking, sleep,
};

use super::{one_worker, start};
use crate::support::alone::{command, is_alone, test_name};
use crate::support::net::*;

over_streams!(
    a_panic_ends_only_its_own_request,
    a_panicking_coroutine_does_not_wait,
    handle_error_may_wait,
);

fn a_panic_ends_only_its_own_request<T: Connected>() {
    expect_panics();
    let (service, failures) = Hooks::new(|request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            match &*line {
                b"panic\n" => panic!("on purpose"),
                b"later\n" => {
                    sleep(Duration::from_millis(1));
                    blocking(|| {});
                    panic!("on purpose");
                }
                _ => request.send_all(&line)?,
            }
        }
        Ok(())
    })
    .failures();
    let host = start::<T, _>(one_worker(), service);
    let others = [(); 5].map(|()| host.client());
    for round in 0..10 {
        for how in ["panic\n", "later\n"] {
            let client = host.client();
            assert_eq!(client.ask("hello\n"), "hello\n");
            client.send(how);
            client.expect_end();
            let failure = next(&failures);
            assert_eq!(failure.stage, Stage::Handle);
            assert!(failure.text.contains("on purpose"));
        }
        for other in &others {
            assert_eq!(other.ask(&format!("{round}\n")), format!("{round}\n"));
        }
    }
    let stats = host.server.stats();
    assert_eq!((stats.failed, stats.active), (20, 5));
    host.stop();
}

/// Sends a message when it is dropped. Reports whether that succeeded, and whether `blocking` used another
/// thread.
struct SendOnDrop {
    sender: Sender,
    message: Vec<u8>,
    outcome: mpsc::Sender<(bool, bool)>,
}

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let sent = self.sender.send_all(&self.message).is_ok();
        sleep(Duration::from_millis(1));
        let here = thread::current().id();
        let is_moved = blocking(|| thread::current().id()) != here;
        let _ = self.outcome.send((sent, is_moved));
    }
}

/// Panicking is a state of the thread. So while a coroutine panics, no other coroutine runs on its thread.
fn a_panicking_coroutine_does_not_wait<T: Connected>() {
    expect_panics();
    let (outcome, outcomes) = mpsc::channel();
    let service = Hooks::new(move |request: &mut T::Request| {
        while let Some(line) = request.next_line(100)? {
            assert!(!thread::panicking());
            let size = match &*line {
                b"little\n" => 10,
                b"much\n" => 24 << 20,
                _ => {
                    request.send_all(&line)?;
                    continue;
                }
            };
            let _send_on_drop = SendOnDrop {
                sender: request.sender(),
                message: vec![b'x'; size],
                outcome: outcome.clone(),
            };
            panic!("on purpose");
        }
        Ok(())
    });
    let host = start::<T, _>(one_worker(), service);
    let other = host.client();
    for _ in 0..5 {
        let client = host.client();
        client.send("little\n");
        assert_eq!(next(&outcomes), (true, false));
        assert_eq!(client.rest(), b"xxxxxxxxxx");

        // The message does not fit into the socket buffers, so the send fails instead of waiting.
        let client = host.client();
        client.send("much\n");
        assert_eq!(next(&outcomes), (false, false));
        assert!(client.rest().len() < 24 << 20);
        assert_eq!(other.ask("hello\n"), "hello\n");
    }
    // Later waits suspend the coroutine again.
    other.send("hel");
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    other.send("lo\n");
    assert_eq!(other.line(), "hello\n");
    host.stop();
}

fn handle_error_may_wait<T: Connected>() {
    expect_panics();
    let service = Hooks::new(|request: &mut T::Request| match &*request.readline(100)? {
        b"panic\n" => panic!("on purpose"),
        line => Ok(request.send_all(line)?),
    })
    .on_error(|request, _| {
        request.send_all("reason?\n").unwrap();
        sleep(Duration::from_millis(1));
        let reason = request.readline(100).unwrap();
        request.send_all(&reason).unwrap();
    });
    let host = start::<T, _>(one_worker(), service);
    let clients = [(); 5].map(|()| host.client());
    for client in &clients {
        assert_eq!(client.ask("panic\n"), "reason?\n");
    }
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    for client in &clients {
        client.send("no reason\n");
        assert_eq!(client.rest(), b"no reason\n");
    }
    host.stop();
}

// ---- stacks ----

/// Uses and touches at least this much stack.
#[inline(never)]
fn use_stack(size: usize) -> u64 {
    const FRAME: usize = 1024;
    let mut frame = [1_u8; FRAME];
    std::hint::black_box(&mut frame);
    let deeper = if size > FRAME {
        use_stack(size - FRAME)
    } else {
        0
    };
    deeper + u64::from(std::hint::black_box(&frame)[size % FRAME])
}

/// The largest size is not the whole stack, because in a debug build a frame is larger than its array.
#[test]
fn a_handler_can_use_most_of_its_stack() {
    const SIZE: usize = 1 << 20;
    let (service, failures) = Hooks::new(|request: &mut TcpRequest| {
        let size: usize = String::from_utf8(request.readline(100)?)?.trim().parse()?;
        Ok(request.send_all(format!("{}\n", use_stack(size)))?)
    })
    .failures();
    let host = start::<Tcp, _>(one_worker().stack_size(SIZE), service);
    for size in [SIZE / 4, SIZE / 2, SIZE * 3 / 4] {
        let expected = format!("{}\n", size / 1024);
        assert_eq!(host.client().ask(&format!("{size}\n")), expected);
    }
    assert!(failures.try_recv().is_err());
    host.stop();
}

/// A stack overflow ends the process by a signal, because it must not overwrite other memory.
#[cfg(unix)]
#[test]
fn a_stack_that_is_too_small_ends_the_process() {
    for test in [test_name!("overflow"), test_name!("overflow_after_waits")] {
        let output = command(test).output().unwrap();
        let signal = output.status.signal();
        let segmentation_fault = [Signal::SIGSEGV as i32, Signal::SIGBUS as i32];
        assert!(
            signal.is_some_and(|signal| segmentation_fault.contains(&signal)),
            "{output:?}"
        );
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains("handler started"), "{stdout}");
    }
}

/// Overflows the stack in the handler of one of several clients.
fn overflow_on(strategy: Coroutines, waits: bool) {
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        if waits {
            sleep(Duration::from_millis(1));
        }
        println!("handler started");
        Ok(request.send_all(format!("{}{}\n", use_stack(usize::MAX), line.len()))?)
    });
    // Creates no files, because a process that crashes cannot remove them.
    let server = CoroutineTcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.strategy(strategy).spawn().unwrap();
    let clients = [(); 5].map(|()| Tcp::connect(server.server_address()));
    clients[3].send("go\n");
    let _ = clients[3].try_receive();
}

#[test]
#[ignore = "run by a_stack_that_is_too_small_ends_the_process"]
fn overflow() {
    if is_alone(test_name!("overflow")) {
        overflow_on(one_worker(), false);
    }
}

#[test]
#[ignore = "run by a_stack_that_is_too_small_ends_the_process"]
fn overflow_after_waits() {
    if is_alone(test_name!("overflow_after_waits")) {
        overflow_on(Coroutines::new().workers(2).stack_size(1 << 20), true);
    }
}

/// The default stack size is large enough for panics with full backtraces, also for several at once.
#[test]
fn a_panic_with_a_full_backtrace_fits_on_the_stack() {
    let output = command(test_name!("panics_with_backtraces"))
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("on purpose, deep down").count(), 10);
    assert!(stderr.contains("stack backtrace:"), "{stderr}");
}

#[test]
#[ignore = "run by a_panic_with_a_full_backtrace_fits_on_the_stack"]
fn panics_with_backtraces() {
    #[inline(never)]
    fn deep_down(depth: usize) -> usize {
        match depth {
            0 => panic!("on purpose, deep down"),
            _ => std::hint::black_box(deep_down(depth - 1)) + 1,
        }
    }
    if !is_alone(test_name!("panics_with_backtraces")) {
        return;
    }
    let failed: Arc<AtomicUsize> = Arc::default();
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.readline(100)?;
        Ok(request.send_all(format!("{}", deep_down(20)))?)
    })
    .on_error({
        let failed = Arc::clone(&failed);
        move |_, _| {
            failed.fetch_add(1, Ordering::SeqCst);
        }
    });
    let host = start::<Tcp, _>(Coroutines::new(), service);
    let clients = [(); 10].map(|()| host.client());
    for client in &clients {
        client.send("go\n");
    }
    for client in &clients {
        client.expect_end();
    }
    assert_eq!(failed.load(Ordering::SeqCst), 10);
    host.stop();
}
