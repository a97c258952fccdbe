//! Panics in user code: a strategy, a transport, a socket or a service. Each affects only the request in
//! which it happens. A thread that cannot be started has the same effect. `handlers` tests panics of
//! handlers.

mod services;
mod sockets;
mod strategies;
#[cfg(target_os = "linux")]
mod threads;
mod transports;

use std::sync::atomic::{AtomicUsize, Ordering};

use socketserver::{DrainReport, Stats};

/// Panics in one method, a limited number of times.
#[derive(Debug)]
struct PanicPoint {
    method: &'static str,
    left: AtomicUsize,
    panics: AtomicUsize,
}

impl PanicPoint {
    fn once(method: &'static str) -> Self {
        Self::times(method, 1)
    }

    fn always(method: &'static str) -> Self {
        Self::times(method, usize::MAX)
    }

    fn times(method: &'static str, times: usize) -> Self {
        Self {
            method,
            left: AtomicUsize::new(times),
            panics: AtomicUsize::new(0),
        }
    }

    /// Panics if `method` is the method of this value and panics are left.
    fn visit(&self, method: &str) {
        let less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if self.method == method && self.left.fetch_update(order, order, less).is_ok() {
            self.panics.fetch_add(1, order);
            panic!("{method} panics on purpose");
        }
    }

    fn panics(&self) -> usize {
        self.panics.load(Ordering::SeqCst)
    }
}

/// Asserts that all requests have ended and that the counts add up.
#[track_caller]
fn assert_adds_up(report: &DrainReport, stats: &Stats) {
    let all = format!("{report:?}\n{stats:?}");
    let by_themselves = report.completed + report.failed + report.disconnected;
    let ended = by_themselves + report.rejected + report.dropped;
    let closed_by_server = report.force_closed.len() + report.abandoned.len();
    assert_eq!(
        report.running + report.accepted,
        ended + closed_by_server,
        "{all}"
    );
    let by_themselves = stats.completed + stats.failed + stats.disconnected;
    let ended = by_themselves + stats.force_closed + stats.rejected + stats.dropped;
    assert_eq!((stats.accepted, stats.active), (ended, 0), "{all}");
}
