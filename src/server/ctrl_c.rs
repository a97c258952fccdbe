//! Ctrl-C, for programs that ask for it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::error::Error;
use crate::state::{ServerHandle, ServerState};
use crate::sys;

/// The exit status of a process that a second signal ended: 128 and the number of SIGINT, as
/// shells have it.
const FORCED: i32 = 130;

/// Signals belong to the process, so this does too.
static TO_STOP: Mutex<ToStop> = Mutex::new(ToStop {
    installed: None,
    asked: false,
    servers: Vec::new(),
});

struct ToStop {
    /// In which process: one that is forked from it has no thread to wait for signals on.
    installed: Option<u32>,
    /// The servers were asked to stop and have been stopping since.
    asked: bool,
    servers: Vec<Weak<ServerState>>,
}

pub(super) fn shutdown_on_ctrl_c(handle: &ServerHandle) -> Result<(), Error> {
    let mut to_stop = TO_STOP.lock();
    match to_stop.installed {
        Some(process) if process == std::process::id() => {}
        Some(_) => {
            let source =
                "it was installed in the process that this one was forked from; become a daemon \
                          first, then ask for it"
                    .into();
            return Err(Error::Signal { source });
        }
        None => {
            sys::signal::on_termination(on_signal).map_err(|error| Error::Signal {
                source: error.into(),
            })?;
            to_stop.installed = Some(std::process::id());
        }
    }
    to_stop.asked = false;
    to_stop.servers.retain(|server| server.strong_count() > 0);
    to_stop.servers.push(Arc::downgrade(&handle.0));
    Ok(())
}

/// Runs on a thread of its own, not in signal context, so it may take locks.
fn on_signal() {
    let mut to_stop = TO_STOP.lock();
    let mut servers: Vec<_> = to_stop.servers.iter().filter_map(Weak::upgrade).collect();
    // A handle, or a handler that was given up, may outlive its server.
    servers.retain(|server| !server.life_cycle.is_closing());
    // The second time, or with no server left to stop, a signal ends the process, as it would
    // without a handler.
    if to_stop.asked || servers.is_empty() {
        std::process::exit(FORCED);
    }
    to_stop.asked = true;
    for server in servers {
        server.request_stop_by_signal();
    }
}
