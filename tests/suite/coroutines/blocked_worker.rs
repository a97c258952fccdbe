//! Workers that a handler blocks, and handlers that yield their worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, Server, TcpRequest, sleep};

use super::{one_worker, start};
use crate::support::net::*;

/// A handler that never returns, for example because of a lock, blocks the only worker. A stop abandons it.
#[test]
fn a_blocked_worker_does_not_block_a_stop_for_ever() {
    let gate = Gate::default();
    let (started, starts) = mpsc::channel();
    let service = Hooks::new({
        let gate = gate.clone();
        move |_: &mut TcpRequest| {
            let _ = started.send(());
            gate.pass();
            Ok(())
        }
    });
    let dir = TempDir::new();
    let server = Tcp::bind::<_, Coroutines>(&dir, Server::options(), service).unwrap();
    let server = server
        .strategy(one_worker())
        .grace_period(Duration::from_millis(20));
    let handle = server.handle();
    let _client = Tcp::connect(server.server_address());
    let serving = thread::spawn(move || {
        let served = server.serve_forever();
        (served.is_ok(), server.server_close())
    });
    next(&starts);
    handle.shutdown();
    let (served, report) = in_time(move || serving.join().unwrap());
    assert!(served);
    assert_eq!((report.running, report.abandoned.len()), (1, 1));
    gate.open();
    eventually("the request has ended", || handle.stats().active == 0);
}

/// A handler that would occupy the only worker yields it by a sleep of zero.
#[test]
fn a_sleep_of_zero_yields_to_other_coroutines() {
    let stop = Arc::new(AtomicBool::new(false));
    let service = Hooks::new({
        let stop = Arc::clone(&stop);
        move |request: &mut TcpRequest| {
            if request.readline(100)? == b"wait\n" {
                while !stop.load(Ordering::SeqCst) {
                    sleep(Duration::ZERO);
                }
            } else {
                stop.store(true, Ordering::SeqCst);
            }
            Ok(request.send_all("done\n")?)
        }
    });
    let host = start::<Tcp, _>(one_worker(), service);
    let waits = host.client();
    waits.send("wait\n");
    let ends = host.client();
    assert_eq!(ends.ask("end\n"), "done\n");
    assert_eq!(waits.line(), "done\n");
    host.stop();
}
