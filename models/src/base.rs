//! In the place of small parts of the crate, of which the life cycle knows the names.

pub(crate) mod address {
    use std::fmt;

    /// There is one server.
    pub(crate) struct ServerAddress;

    impl fmt::Display for ServerAddress {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.pad("the server")
        }
    }
}

pub(crate) mod accept_error {
    #[derive(Clone, Copy)]
    #[allow(dead_code, reason = "what the counters are made for")]
    pub(crate) enum AcceptErrorKind {
        Retry,
        BackOff,
        Fatal,
    }

    impl AcceptErrorKind {
        pub(crate) const COUNT: usize = 3;
    }
}

pub(crate) mod error {
    #[derive(Debug)]
    pub(crate) enum Error {
        AlreadyServing,
    }
}

pub(crate) mod logging {
    macro_rules! log_event {
        ($level:ident, $($message:tt)*) => {{
            let _ = (stringify!($level), format_args!($($message)*));
        }};
    }

    pub(crate) use log_event;
}
