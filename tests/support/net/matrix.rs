//! Macros that make tests of generic functions: for each transport, each strategy, or each pair of them.

/// Leaves out items of a transport that the system lacks.
macro_rules! where_it_exists {
    (UnixStream $($item:item)*) => {
        $(#[cfg(unix)] $item)*
    };
    (UnixDatagram $($item:item)*) => {
        $(#[cfg(unix)] $item)*
    };
    ($transport:ident $($item:item)*) => {
        $($item)*
    };
}

/// Makes a `#[test]` of each generic function for each of the given transports.
macro_rules! over {
    ($transports:tt $($check:ident),* $(,)?) => {
        $($crate::support::net::over!(@ $transports $check);)*
    };
    (@ [$($transport:ident),*] $check:ident) => {
        mod $check {
            $($crate::support::net::where_it_exists! {
                $transport
                #[test]
                #[allow(non_snake_case)]
                fn $transport() {
                    super::$check::<socketserver::transport::$transport>();
                }
            })*
        }
    };
}

/// Makes a `#[test]` for each transport, as [`over!`] does, in a process of its own. For servers that fork.
macro_rules! over_apart {
    ($transports:tt $($check:ident),* $(,)?) => {
        $($crate::support::net::over_apart!(@ $transports $check);)*
    };
    (@ [$($transport:ident),*] $check:ident) => {
        mod $check {
            use $crate::support::alone::{apart, test_name};

            $($crate::support::net::where_it_exists! {
                $transport
                #[test]
                #[allow(non_snake_case)]
                fn $transport() {
                    let test = test_name!(stringify!($transport));
                    apart(test, super::$check::<socketserver::transport::$transport>);
                }
            })*
        }
    };
}

macro_rules! over_streams {
    ($($check:ident),* $(,)?) => { $crate::support::net::over!([Tcp, UnixStream] $($check),*); };
}

macro_rules! over_datagrams {
    ($($check:ident),* $(,)?) => { $crate::support::net::over!([Udp, UnixDatagram] $($check),*); };
}

/// Makes a `#[test]` of each generic function for each strategy that needs no child processes.
macro_rules! by_strategy {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            #[test]
            fn sequential() {
                super::$check::<socketserver::Sequential>();
            }
            #[test]
            fn threading() {
                super::$check::<socketserver::Threading>();
            }
            #[test]
            fn thread_pool() {
                super::$check::<socketserver::ThreadPool>();
            }
            #[test]
            fn coroutines() {
                super::$check::<socketserver::Coroutines>();
            }
        })*
    };
}

/// Makes a `#[test]` for each strategy, as [`by_strategy!`] does, in a process of its own. For tests that close a
/// socket and expect its port to be free.
macro_rules! by_strategy_apart {
    ($($check:ident),* $(,)?) => {
        $(mod $check {
            use $crate::support::alone::{apart, test_name};

            #[test]
            fn sequential() {
                let test = test_name!("sequential");
                apart(test, super::$check::<socketserver::Sequential>);
            }
            #[test]
            fn threading() {
                let test = test_name!("threading");
                apart(test, super::$check::<socketserver::Threading>);
            }
            #[test]
            fn thread_pool() {
                let test = test_name!("thread_pool");
                apart(test, super::$check::<socketserver::ThreadPool>);
            }
            #[test]
            fn coroutines() {
                let test = test_name!("coroutines");
                apart(test, super::$check::<socketserver::Coroutines>);
            }
        })*
    };
}

/// Makes a `#[test]` of each generic function for each pair of a given transport and a strategy that needs no child
/// processes.
macro_rules! over_pairs {
    ($transports:tt $($check:ident),* $(,)?) => {
        $($crate::support::net::over_pairs!(@ $transports $check);)*
    };
    (@ [$($transport:ident),*] $check:ident) => {
        mod $check {
            $($crate::support::net::where_it_exists! {
                $transport
                #[allow(non_snake_case)]
                mod $transport {
                    use socketserver::transport::$transport;
                    use socketserver::{Coroutines, Sequential, ThreadPool, Threading};

                    #[test]
                    fn sequential() {
                        super::super::$check::<$transport, Sequential>();
                    }
                    #[test]
                    fn threading() {
                        super::super::$check::<$transport, Threading>();
                    }
                    #[test]
                    fn thread_pool() {
                        super::super::$check::<$transport, ThreadPool>();
                    }
                    #[test]
                    fn coroutines() {
                        super::super::$check::<$transport, Coroutines>();
                    }
                }
            })*
        }
    };
}

macro_rules! everywhere {
    ($($check:ident),* $(,)?) => {
        $crate::support::net::over_pairs!([Tcp, Udp, UnixStream, UnixDatagram] $($check),*);
    };
}

macro_rules! over_streams_by_strategy {
    ($($check:ident),* $(,)?) => {
        $crate::support::net::over_pairs!([Tcp, UnixStream] $($check),*);
    };
}

pub(crate) use {
    by_strategy, by_strategy_apart, everywhere, over, over_apart, over_datagrams, over_pairs,
    over_streams, over_streams_by_strategy, where_it_exists,
};
