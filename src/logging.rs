//! What is worth a line in a log, with the `log` feature; without it, nothing is said.

/// Something is not as it should be, and the server goes on.
macro_rules! log_warning {
    ($($message:tt)*) => {{
        #[cfg(feature = "log")]
        log::warn!(target: "socketserver", $($message)*);
        #[cfg(not(feature = "log"))]
        let _ = format_args!($($message)*);
    }};
}

pub(crate) use log_warning;
