//! Workers that are held, and those that give way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use socketserver::transport::Tcp;
use socketserver::{Coroutines, Request, Server, TcpRequest, sleep};

use super::{one_worker, start};
use crate::support::net::*;

/// A handler that never comes back, for a lock say, has the only worker: a stop leaves it behind.
#[test]
fn a_worker_that_is_held_does_not_hold_up_a_stop_for_ever() {
    let gate = Gate::default();
    let (holding, holds) = mpsc::channel();
    let service = Hooks::new({
        let gate = gate.clone();
        move |_: &mut TcpRequest| {
            let _ = holding.send(());
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
    next(&holds);
    handle.shutdown();
    let (served, report) = in_time(move || serving.join().unwrap());
    assert!(served);
    assert_eq!((report.running, report.abandoned.len()), (1, 1));
    gate.open();
    eventually("it has ended", || handle.stats().active == 0);
}

/// A handler that would keep the only worker asks with a sleep of nothing whether somebody else wants it.
#[test]
fn a_sleep_of_nothing_lets_others_have_their_turn() {
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
