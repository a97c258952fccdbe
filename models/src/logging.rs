//! Stand-in for log events, which are discarded.

macro_rules! log_event {
    ($level:ident, $($message:tt)*) => {{
        let _ = (stringify!($level), format_args!($($message)*));
    }};
}

pub(crate) use log_event;
