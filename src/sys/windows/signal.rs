//! Console events: Ctrl-C and Ctrl-Break, through the `ctrlc` crate, and the end of the console or of the system.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use windows_sys::Win32::System::Console::{
    CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use crate::sys::stop_signal::StopSignal;

/// Whether console events call the function that was given to [`install`].
static IS_HANDLED: AtomicBool = AtomicBool::new(false);

/// The function that was given to [`install`].
static ON_SIGNAL: Mutex<Option<Box<dyn FnMut() + Send>>> = Mutex::new(None);

/// Prepares [`handle`]. Succeeds only once in a program, because `ctrlc` does.
pub(crate) fn install(on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if IS_HANDLED.load(Ordering::SeqCst) {
            call_on_signal();
        }
    })?;
    *ON_SIGNAL.lock() = Some(Box::new(on_signal));
    // The system calls the handler that was added last first.
    // SAFETY: the handler is a function, and so valid for ever.
    match unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } {
        0 => Err(ctrlc::Error::System(io::Error::last_os_error())),
        _ => Ok(()),
    }
}

fn call_on_signal() {
    if let Some(on_signal) = &mut *ON_SIGNAL.lock() {
        on_signal();
    }
}

/// Handles the events for which the handler of `ctrlc` is wrong, because it does not know which event it is called for.
/// The system calls this on a thread of its own. Returns whether the event is handled.
unsafe extern "system" fn on_event(event: u32) -> BOOL {
    match event {
        // Services receive this event, whichever user logs off.
        CTRL_LOGOFF_EVENT => 1,
        CTRL_CLOSE_EVENT | CTRL_SHUTDOWN_EVENT if IS_HANDLED.load(Ordering::SeqCst) => {
            call_on_signal();
            // The system ends the process when the handler returns, or after some seconds. The program ends it
            // earlier, when its servers have stopped.
            loop {
                thread::sleep(Duration::from_secs(60));
            }
        }
        _ => 0,
    }
}

/// From now on, console events call the function that was given to [`install`], on its thread.
pub(crate) fn handle(signals: impl IntoIterator<Item = StopSignal>) {
    if signals.into_iter().next().is_some() {
        IS_HANDLED.store(true, Ordering::SeqCst);
    }
}

/// Returns `false`, because a process does not inherit a handler.
pub(crate) fn is_installed_in_ancestor() -> bool {
    false
}

pub(crate) fn discards_signals() -> bool {
    false
}
