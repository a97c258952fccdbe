//! Console events: Ctrl-C, Ctrl-Break, and the end of the console or of the session, through the `ctrlc` crate.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::stop_signal::StopSignal;

/// Whether console events call the function that was given to [`install`].
static IS_HANDLED: AtomicBool = AtomicBool::new(false);

/// Prepares [`handle`]. Succeeds only once in a program, because `ctrlc` does.
pub(crate) fn install(mut on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if IS_HANDLED.load(Ordering::SeqCst) {
            on_signal();
        }
    })
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
