//! Log events, with the feature `log`. Without the feature, events are discarded.

/// Logs a message at a level of the `log` crate. Values that clients can choose must be
/// [escaped](crate::escape::Escaped).
///
/// Must not run in a forked child, because a thread that does not exist there may have held a lock of
/// the logger during the fork.
macro_rules! log_event {
    ($level:ident, $($message:tt)*) => {{
        #[cfg(feature = "log")]
        log::log!(target: "socketserver", log::Level::$level, $($message)*);
        #[cfg(not(feature = "log"))]
        let _ = format_args!($($message)*);
    }};
}

pub(crate) use log_event;
