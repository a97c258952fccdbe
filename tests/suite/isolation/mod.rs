//! A panic costs the request that it happens in, and nothing else, wherever the code of others is called:
//! in a strategy, a transport, a socket, a service. (Those of handlers are in `handlers`.) And so does a
//! thread that cannot be had.

mod services;
mod sockets;
mod strategies;
mod threads;
mod transports;

use std::sync::atomic::{AtomicUsize, Ordering};

use socketserver::{DrainReport, Stats};

/// Panics in one place, so many times.
#[derive(Debug)]
struct Mine {
    place: &'static str,
    left: AtomicUsize,
    hit: AtomicUsize,
}

impl Mine {
    fn once(place: &'static str) -> Self {
        Self::times(place, 1)
    }

    fn always(place: &'static str) -> Self {
        Self::times(place, usize::MAX)
    }

    fn times(place: &'static str, times: usize) -> Self {
        Self {
            place,
            left: AtomicUsize::new(times),
            hit: AtomicUsize::new(0),
        }
    }

    fn step_on(&self, place: &str) {
        let less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if self.place == place && self.left.fetch_update(order, order, less).is_ok() {
            self.hit.fetch_add(1, order);
            panic!("{place} was told to");
        }
    }

    fn hits(&self) -> usize {
        self.hit.load(Ordering::SeqCst)
    }
}

/// All have ended, and the books say how.
#[track_caller]
fn adds_up(report: &DrainReport, stats: &Stats) {
    let all = format!("{report:?}\n{stats:?}");
    let ended = report.completed + report.failed + report.rejected + report.dropped;
    let cut = report.force_closed.len() + report.abandoned.len();
    assert_eq!(report.running + report.accepted, ended + cut, "{all}");
    let ended =
        stats.completed + stats.failed + stats.force_closed + stats.rejected + stats.dropped;
    assert_eq!((stats.accepted, stats.active), (ended, 0), "{all}");
}
