//! Checks `docs/reference/python-names.md`: every name of Python's `socketserver` has a row, the twin in the row exists,
//! and a search of the documentation for the Python name finds the twin. Also checks that the Python code
//! blocks of all pages are valid Python.

mod page;
mod python;
mod search;
#[cfg(feature = "tls")]
mod tls;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::process::{Program, python_is_there};

/// The table of the page that contains a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Class,
    Method,
    Attribute,
    Handler,
    Threading,
    Forking,
    Private,
    Coroutines,
}

impl Kind {
    fn heading(self) -> &'static str {
        match self {
            Self::Class => "Classes",
            Self::Method => "Methods of servers",
            Self::Attribute => "Attributes of servers",
            Self::Handler => "Handlers",
            Self::Threading => "`ThreadingMixIn`",
            Self::Forking => "`ForkingMixIn`",
            Self::Private => "Private names that programs use",
            Self::Coroutines => "gevent and asyncio",
        }
    }

    /// Returns the tables in which an attribute or a method of a Python class may be.
    fn of_members(class: &str) -> &'static [Self] {
        match class {
            "ThreadingMixIn" => &[Self::Threading, Self::Private],
            "ForkingMixIn" => &[Self::Forking],
            _ if class.ends_with("Handler") => &[Self::Handler],
            _ => &[Self::Method, Self::Attribute, Self::Private],
        }
    }
}

/// Every name of Python 3.15, and the arguments and private names that programs use. Also names of other
/// modules that offer what coroutines offer here.
const NAMES: &[(Kind, &[&str])] = &[
    (
        Kind::Class,
        &[
            "BaseServer",
            "TCPServer",
            "UDPServer",
            "UnixStreamServer",
            "UnixDatagramServer",
            "ThreadingTCPServer",
            "ThreadingUDPServer",
            "ThreadingUnixStreamServer",
            "ThreadingUnixDatagramServer",
            "ForkingTCPServer",
            "ForkingUDPServer",
            "ForkingUnixStreamServer",
            "ForkingUnixDatagramServer",
            "ThreadingMixIn",
            "ForkingMixIn",
            "BaseRequestHandler",
            "StreamRequestHandler",
            "DatagramRequestHandler",
            "__all__",
            "__version__",
        ],
    ),
    (
        Kind::Method,
        &[
            "__init__",
            "__enter__",
            "__exit__",
            "serve_forever",
            "poll_interval",
            "handle_request",
            "shutdown",
            "server_close",
            "server_activate",
            "server_bind",
            "fileno",
            "get_request",
            "verify_request",
            "process_request",
            "finish_request",
            "shutdown_request",
            "close_request",
            "handle_error",
            "handle_timeout",
            "service_actions",
        ],
    ),
    (
        Kind::Attribute,
        &[
            "server_address",
            "socket",
            "RequestHandlerClass",
            "timeout",
            "request_queue_size",
            "allow_reuse_address",
            "allow_reuse_port",
            "address_family",
            "socket_type",
            "max_packet_size",
            "bind_and_activate",
        ],
    ),
    (
        Kind::Handler,
        &[
            "__init__",
            "setup",
            "handle",
            "finish",
            "request",
            "client_address",
            "server",
            "connection",
            "rfile",
            "wfile",
            "rbufsize",
            "wbufsize",
            "timeout",
            "disable_nagle_algorithm",
            "packet",
            "socket",
        ],
    ),
    (
        Kind::Threading,
        &[
            "daemon_threads",
            "block_on_close",
            "process_request",
            "process_request_thread",
            "server_close",
        ],
    ),
    (
        Kind::Forking,
        &[
            "max_children",
            "active_children",
            "block_on_close",
            "timeout",
            "collect_children",
            "handle_timeout",
            "service_actions",
            "process_request",
            "server_close",
        ],
    ),
    (
        Kind::Private,
        &[
            "_threads",
            "_handle_request_noblock",
            "_BaseServer__shutdown_request",
            "_BaseServer__is_shut_down",
            "_SocketWriter",
            "_Threads",
            "_NoThreads",
            "_ServerSelector",
        ],
    ),
    (
        Kind::Coroutines,
        &[
            "gevent",
            "greenlet",
            "gevent.server.StreamServer",
            "gevent.monkey.patch_all",
            "gevent.spawn",
            "gevent.sleep",
            "gevent.Timeout",
            "gevent.pool.Pool",
            "gevent.queue.Queue",
            "gevent.event.Event",
            "gevent.signal_handler",
            "gevent.local.local",
            "gevent.lock.RLock",
            "threadpool.apply",
            "asyncio.start_server",
            "asyncio.start_unix_server",
            "asyncio.to_thread",
            "run_in_executor",
            "asyncio.sleep",
            "asyncio.wait_for",
            "asyncio.create_task",
        ],
    ),
];

/// Names without a twin, and the section of the page that explains why.
const NO_TWIN: &[(&str, &str)] = &[
    ("__version__", "names-without-a-twin"),
    ("socket_type", "names-without-a-twin"),
    ("collect_children", "names-without-a-twin"),
    ("_Threads", "names-without-a-twin"),
    ("_NoThreads", "names-without-a-twin"),
    ("_ServerSelector", "names-without-a-twin"),
    ("gevent.monkey.patch_all", "names-without-a-twin"),
    ("gevent.spawn", "names-without-a-twin"),
    ("gevent.event.Event", "names-without-a-twin"),
    ("gevent.lock.RLock", "names-without-a-twin"),
    ("asyncio.create_task", "names-without-a-twin"),
];

/// The twins, spelt as on the page. Each is an expression here, so it exists if this file compiles. The type
/// aliases make these expressions possible.
mod twins {
    use std::io::{BufRead as _, Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;
    use std::time::Duration;

    use socketserver::transport::{Tcp, Udp};
    use socketserver::{
        Request as _, RequestHandler as _, Service as _, Strategy as _, Transport as _, prelude,
    };

    #[derive(Default)]
    struct Hello;

    impl prelude::RequestHandler<prelude::TcpRequest> for Hello {
        fn handle(&mut self, _: &mut prelude::TcpRequest) -> prelude::Result {
            Ok(())
        }
    }

    type BufRead = prelude::TcpRequest;
    type Coroutines = prelude::Coroutines;
    type DatagramRequest = prelude::UdpRequest;
    type Forking = prelude::Forking;
    type HandlerError = prelude::HandlerError;
    type Job = socketserver::Job;
    type Read = prelude::TcpRequest;
    type Request = prelude::TcpRequest;
    type RequestHandler = Hello;
    type Server = prelude::ForkingTcpServer<Service>;
    type ServerHandle = prelude::ServerHandle;
    type ServerOptions = socketserver::ServerOptions<Tcp, Service, prelude::Sequential>;
    type Service = fn() -> Hello;
    type Strategy = prelude::Sequential;
    type StreamRequest = prelude::TcpRequest;
    type Transport = Tcp;
    type UdpOptions = socketserver::ServerOptions<Udp, (), prelude::Sequential>;
    type Write = prelude::TcpRequest;

    /// Names of types, traits, functions and modules. The import fails if one does not exist.
    macro_rules! items {
        ($($item:ident),* $(,)?) => {
            mod items {
                #[allow(unused_imports)]
                use socketserver::{$($item as _),*};
            }
            pub(super) const ITEMS: &[&str] = &[$(stringify!($item)),*];
        };
    }

    /// Methods. A method with a generic argument is called, because it is not a value without its type.
    macro_rules! methods {
        ($($path:path $(= $call:expr)?),* $(,)?) => {
            pub(super) const METHODS: &[&str] = &[$(stringify!($path)),*];
            #[allow(dead_code)]
            fn use_all() {
                $(methods!(@ $path $(, $call)?);)*
            }
        };
        (@ $path:path) => { let _ = $path; };
        (@ $path:path, $call:expr) => { let _ = $call; };
    }

    items! {
        CoroutineTcpServer, CoroutineUnixStreamServer, Coroutines, Error, Forking, ForkingTcpServer, ForkingUdpServer, ForkingUnixDatagramServer,
        ForkingUnixStreamServer, HandlerError, Request, RequestHandler, Server, StreamReader,
        StreamWriter, TcpServer, Threading, ThreadingTcpServer, ThreadingUdpServer,
        ThreadingUnixDatagramServer, ThreadingUnixStreamServer, UdpServer, UnixDatagramServer,
        UnixStreamServer, blocking, prelude, sleep,
    }

    methods! {
        BufRead::fill_buf,
        Coroutines::max_coroutines,
        DatagramRequest::packet,
        DatagramRequest::send_to,
        DatagramRequest::socket,
        Forking::max_children,
        HandlerError::disconnect_kind,
        HandlerError::is_disconnect,
        HandlerError::is_timeout,
        Job::run,
        Read::read,
        Read::read_exact,
        Read::read_to_end,
        Read::read_to_string,
        Request::client_address,
        Request::close,
        Request::is_client_gone,
        Request::local_address,
        Request::next_line,
        Request::read_exactly,
        Request::readline,
        Request::recv,
        Request::sender,
        Request::send_all = |request: &mut Request| request.send_all(b""),
        Request::server,
        Request::set_timeout = |request: &mut Request| request.set_timeout(Duration::MAX),
        RequestHandler::finish,
        RequestHandler::handle,
        RequestHandler::setup,
        Server::active_children,
        Server::as_fd,
        Server::bind = |service| Server::bind("127.0.0.1:0", service),
        Server::block_on_close,
        Server::from_listener = |socket: TcpListener, service| Server::from_listener(socket, service),
        Server::handle_request,
        Server::handle_request_timeout = |server: Server| server.handle_request_timeout(None),
        Server::max_children,
        Server::poll_interval = |server: Server| server.poll_interval(Duration::ZERO),
        Server::serve_forever,
        Server::server_activate,
        Server::server_address,
        Server::server_close,
        Server::shutdown,
        Server::shutdown_on_ctrl_c,
        Server::stats,
        ServerHandle::is_shutting_down,
        ServerHandle::shutdown,
        ServerHandle::wait = |handle: ServerHandle| handle.wait(Duration::ZERO),
        ServerOptions::activate,
        ServerOptions::allow_reuse_address,
        ServerOptions::allow_reuse_port,
        ServerOptions::before_bind = |options: ServerOptions| options.before_bind(|_| Ok(())),
        ServerOptions::disable_nagle_algorithm,
        ServerOptions::max_packet_size = UdpOptions::max_packet_size,
        ServerOptions::only_v6,
        ServerOptions::request_queue_size,
        ServerOptions::timeout = |options: ServerOptions| options.timeout(None),
        Service::handle_error,
        Service::handle_timeout,
        Service::request_handler,
        Service::service_actions,
        Service::verify_request,
        Strategy::process_request,
        Strategy::server_close,
        StreamRequest::socket,
        Transport::get_request,
        Write::flush,
        Write::write,
        Write::write_all,
        std::io::copy = std::io::copy::<&[u8], Vec<u8>>,
    }

    /// Returns whether a twin is listed here.
    pub(super) fn exists(twin: &str) -> bool {
        all().any(|known| known == twin)
    }

    pub(super) fn all() -> impl Iterator<Item = String> {
        let paths = METHODS.iter().map(|path| path.replace(' ', ""));
        paths.chain(ITEMS.iter().map(|&item| item.to_owned()))
    }
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    let path = repository(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
