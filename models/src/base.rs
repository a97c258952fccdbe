//! Stand-ins for the base layer of the crate.

#[cfg(feature = "server")]
pub(crate) mod address {
    use std::fmt;

    /// The server, or one of its clients.
    #[derive(Clone)]
    pub(crate) enum SocketAddress {
        Server,
        Client(u64),
    }

    impl SocketAddress {
        pub(crate) fn client(id: u64) -> Self {
            Self::Client(id)
        }

        /// Returns the number of the client.
        pub(crate) fn id(&self) -> u64 {
            match self {
                Self::Server => 0,
                Self::Client(id) => *id,
            }
        }
    }

    impl fmt::Display for SocketAddress {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Server => f.pad("the server"),
                Self::Client(id) => write!(f, "client {id}"),
            }
        }
    }
}

#[cfg(feature = "server")]
pub(crate) mod accept_error {
    #[derive(Clone, Copy)]
    #[allow(dead_code, reason = "only counted")]
    pub(crate) enum AcceptErrorKind {
        Retry,
        BackOff,
        Fatal,
    }

    impl AcceptErrorKind {
        pub(crate) const COUNT: usize = 3;
    }
}

#[cfg(feature = "server")]
pub(crate) mod error {
    #[derive(Debug)]
    pub(crate) enum Error {
        AlreadyServing,
    }
}

#[cfg(feature = "server")]
pub(crate) mod logging {
    macro_rules! log_event {
        ($level:ident, $($message:tt)*) => {{
            let _ = (stringify!($level), format_args!($($message)*));
        }};
    }

    pub(crate) use log_event;
}
