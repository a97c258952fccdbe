//! What is worth a line in a log, with the `log` feature; without it, nothing is said.

/// Says something at a level of the crate `log`. (Not in what a forked child runs: the logger may have
/// been locked by a thread that the child does not have.)
macro_rules! log_event {
    ($level:ident, $($message:tt)*) => {{
        #[cfg(feature = "log")]
        log::log!(target: "socketserver", log::Level::$level, $($message)*);
        #[cfg(not(feature = "log"))]
        let _ = format_args!($($message)*);
    }};
}

pub(crate) use log_event;
