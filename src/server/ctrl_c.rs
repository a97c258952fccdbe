//! Signals stop servers, in programs that call `shutdown_on_ctrl_c` or `shutdown_on`.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::error::{Error, ForkedAfterInstall};
use crate::state::{ServerHandle, ServerState};
use crate::sys;
use crate::sys::signal_order::SignalOrder;
use crate::sys::stop_signal::StopSignal;
use crate::sys::termination;

/// Exit status of a process that a second signal ends: 128 plus the number of SIGINT, as in shells.
const FORCED_EXIT_STATUS: i32 = 130;

/// Global, because signal handlers belong to the process.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    is_installed: false,
    servers: Vec::new(),
});

struct Registry {
    is_installed: bool,
    servers: Vec<Weak<ServerState>>,
}

pub(super) fn shutdown_on(
    signals: impl IntoIterator<Item = StopSignal>,
    handle: &ServerHandle,
) -> Result<(), Error> {
    if sys::signal::is_installed_in_ancestor() {
        return Err(ForkedAfterInstall::error());
    }
    let signals: Vec<_> = signals.into_iter().collect();
    let mut registry = REGISTRY.lock();
    // A handler without signals would swallow Ctrl-C on Windows.
    if !registry.is_installed && !signals.is_empty() {
        sys::signal::install(on_signal).map_err(|error| Error::Signal {
            source: error.into(),
        })?;
        registry.is_installed = true;
    }
    termination::expect_first();
    registry.servers.retain(|server| server.strong_count() > 0);
    registry.servers.push(Arc::downgrade(&handle.0));
    sys::signal::handle(signals);
    Ok(())
}

/// Checks that signals stop a server that is about to serve, or end this process. They do neither in a
/// process that was forked after [`shutdown_on`], for example to become a daemon, whichever
/// server that was called for.
pub(super) fn check() -> Result<(), Error> {
    if sys::signal::discards_signals() {
        return Err(ForkedAfterInstall::error());
    }
    Ok(())
}

/// Requests the stop of all servers. Runs on a thread of its own, not in signal context, so it may take
/// locks.
fn on_signal() {
    let registry = REGISTRY.lock();
    let order = termination::record_signal();
    if order == SignalOrder::Repeated {
        return;
    }
    let mut servers: Vec<_> = registry.servers.iter().filter_map(Weak::upgrade).collect();
    // A handle or an abandoned handler may outlive its server.
    servers.retain(|server| !server.life_cycle.is_closing());
    // A second signal, or a signal while there is no server to stop, ends the process as it would
    // without a signal handler.
    if order == SignalOrder::Second || servers.is_empty() {
        std::process::exit(FORCED_EXIT_STATUS);
    }
    for server in servers {
        server.request_stop_by_signal();
    }
}
