//! `wait_for_stop`: a sleep that a stop ends.

use crate::support::kinds::{Kind, by_kind_here};

use super::*;

/// The handler would sleep for an hour.
fn a_stop_ends_the_sleep_of_a_handler(kind: Kind) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        request.send_all("sleeping\n")?;
        let stopped = request.server().clone().wait_for_stop(HOUR);
        Ok(request.send_all(format!("{stopped}\n"))?)
    });
    let host = host_with::<Tcp, Sequential, _, _>(
        service,
        |options| options,
        |server| server.strategy(kind.strategy()).grace_period(HOUR),
    );
    let clients: Vec<_> = (0..if kind.serves_several() { 3 } else { 1 })
        .map(|_| host.client())
        .collect();
    for client in &clients {
        assert_eq!(client.line(), "sleeping\n");
    }
    let report = host.stop();
    assert_eq!(report.completed, clients.len());
    for client in &clients {
        assert_eq!(client.line(), "true\n");
    }
}

/// Without a stop, the sleep has its full length.
fn without_a_stop_the_time_expires(kind: Kind) {
    let service = Hooks::new(|request: &mut TcpRequest| {
        let started = Instant::now();
        let stopped = request.server().wait_for_stop(Duration::from_millis(30));
        let in_full = started.elapsed() >= Duration::from_millis(30);
        Ok(request.send_all(format!("{stopped} {in_full}\n"))?)
    });
    let host = host_by::<Tcp, _, _>(kind.strategy(), service);
    assert_eq!(host.client().line(), "false true\n");
}

by_kind_here!(
    a_stop_ends_the_sleep_of_a_handler,
    without_a_stop_the_time_expires,
);

/// Another thread waits. The lame duck is a stop for it, as for `is_shutting_down`.
#[test]
fn a_lame_duck_ends_the_wait() {
    let host = host_with::<Tcp, Threading, _, _>(
        Hooks::echo(),
        |options| options,
        |server| server.lame_duck(HOUR),
    );
    let handle = host.server.handle();
    assert!(!handle.wait_for_stop(Duration::ZERO));
    let waiting = handle.clone();
    let waited = thread::spawn(move || waiting.wait_for_stop(None));
    handle.shutdown();
    assert!(in_time(|| waited.join()).unwrap());
    std::mem::forget(host); // Its lame duck would last for an hour.
}
