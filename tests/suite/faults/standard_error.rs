//! Standard error whose reader is stuck: a server goes on and stops, whatever its handlers do, and loses reports.
//! Standard output whose reader is stuck: a server goes on to fork, and its child processes end.
//!
//! The tests run in processes of their own, because they replace a standard stream.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::{panic, thread};

use rustix::io::{dup, dup2, ioctl_fionbio};
use socketserver::transport::Tcp;
use socketserver::{Request, RequestHandler, Result, TcpRequest};

use crate::support::alone::{alone, apart, test_name};
use crate::support::kinds::{Kind, by_kind};
use crate::support::net::*;

by_kind!(reports_do_not_wait, panics_do_not_wait);

/// Fails as the client's line says, or echoes it.
struct Failing;

impl RequestHandler<TcpRequest> for Failing {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let line = request.readline(100)?;
        match &*line {
            b"fail\n" => Err("failed on purpose".into()),
            b"panic\n" => panic!("on purpose"),
            _ => Ok(request.send_all(&line)?),
        }
    }
}

/// A full pipe in the place of a standard stream. The panics of a test restore the stream.
struct Stuck {
    reader: PipeReader,
}

/// The number and a copy of the stream that was replaced.
static ORIGINAL: Mutex<Option<(i32, OwnedFd)>> = Mutex::new(None);

impl Stuck {
    fn new(stream: impl AsFd) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        fill(&writer);
        let number = stream.as_fd().as_raw_fd();
        *ORIGINAL.lock().unwrap() = Some((number, dup(stream).unwrap()));
        replace(number, &writer);
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            print(panic);
        }));
        Self { reader }
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some((number, original)) = &*ORIGINAL.lock().unwrap() {
        replace(*number, original);
    }
}

#[allow(unsafe_code, reason = "a standard stream has no owner")]
fn replace(stream: i32, by: impl AsFd) {
    // SAFETY: the descriptor is open, and is not closed.
    let mut stream = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(stream) });
    dup2(by, &mut stream).unwrap();
}

fn fill(mut pipe: &PipeWriter) {
    ioctl_fionbio(pipe, true).unwrap();
    for size in [4096, 1] {
        while pipe.write(&vec![b'.'; size]).is_ok() {}
    }
    ioctl_fionbio(pipe, false).unwrap();
}

/// Serves clients whose handlers fail, then one that is answered, and stops.
fn serve_and_stop(kind: Kind, order: &str) {
    let host = host_by::<Tcp, _, _>(kind.strategy(), || Failing);
    for _ in 0..20 {
        let client = host.client();
        client.send(order);
        client.expect_end();
    }
    let client = host.client();
    client.send("good\n");
    assert_eq!(client.receive(), b"good\n");
    host.stop();
}

/// They do not wait for the lock of `std`, which a thread holds that is blocked in `eprintln!`.
fn reports_do_not_wait(kind: Kind) {
    alone(test_name!("reports_do_not_wait"), kind, || {
        let mut stuck = Stuck::new(io::stderr());
        let locked = io::stderr().lock();
        serve_and_stop(kind, "fail\n");
        drop(locked);

        let mut text = vec![0; 1 << 20];
        let size = stuck.reader.read(&mut text).unwrap();
        assert!(text[..size].iter().all(|&byte| byte == b'.'));
        serve_and_stop(kind, "fail\n");
        let size = stuck.reader.read(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text[..size]);
        // Each child process has a count of its own.
        let expected = match kind {
            Kind::Forking => "handle failed: failed on purpose",
            _ => "socketserver: 20 reports were lost, because",
        };
        assert!(text.contains(expected), "{text}");
    });
}

/// The panic hook does not wait either, as docs/how-to/operating.md shows.
fn panics_do_not_wait(kind: Kind) {
    alone(test_name!("panics_do_not_wait"), kind, || {
        let _stuck = Stuck::new(io::stderr());
        let restore_and_print = panic::take_hook();
        let (lines, printed) = sync_channel::<String>(10);
        thread::spawn(move || printed.iter().for_each(|line| eprintln!("{line}")));
        panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref() != Some(&"on purpose") {
                restore_and_print(panic);
            }
            let _ = lines.try_send(panic.to_string());
        }));
        serve_and_stop(kind, "panic\n");
    });
}

/// Neither for standard output nor for its lock, which a thread holds that is blocked in `println!`.
#[test]
fn forks_do_not_wait_for_standard_output() {
    apart(test_name!("forks_do_not_wait_for_standard_output"), || {
        let _stuck = Stuck::new(io::stdout());
        let _locked = io::stdout().lock();
        serve_and_stop(Kind::Forking, "fail\n");
    });
}
