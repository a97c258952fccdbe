//! Console events: Ctrl-C, Ctrl-Break, and the end of the console or of the session, through the `ctrlc` crate.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A signal that can stop a server: see [`Server::shutdown_on`](crate::Server::shutdown_on).
///
/// On Windows, each of these values stands for all console events. Ctrl-C and Ctrl-Break stop the server in
/// order. When the console is closed, the system ends the process at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopSignal {
    /// Ctrl-C in a console, and the other console events.
    #[doc(alias = "SIGINT")]
    Interrupt,
    /// Ctrl-Break in a console, and the other console events.
    #[doc(alias = "SIGTERM")]
    #[doc(alias = "SIGBREAK")]
    Terminate,
    /// The console was closed, and the other console events.
    #[doc(alias = "SIGHUP")]
    HangUp,
}

impl StopSignal {
    pub(crate) const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::HangUp];
}

/// Whether console events call the function that was given to [`install`].
static IS_HANDLED: AtomicBool = AtomicBool::new(false);

/// Prepares [`handle`]. Succeeds only once in a program, because `ctrlc` does.
pub(crate) fn install(mut on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    ctrlc::set_handler(move || {
        if IS_HANDLED.load(Ordering::SeqCst) {
            on_signal();
        }
    })?;
    let _ = INSTALLED.set(());
    Ok(())
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
