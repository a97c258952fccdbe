//! Every name of Python's `socketserver` has a row in `docs/from-python.md`; the twin that the row
//! names exists; and searching the documentation for the Python name finds it. Also: what that page
//! and the others show as Python is Python.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::process::{Program, python_is_there};

/// In which table of the page a name stands.
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

    /// Where an attribute or a method of this Python class belongs.
    fn of_members(class: &str) -> &'static [Self] {
        match class {
            "ThreadingMixIn" => &[Self::Threading, Self::Private],
            "ForkingMixIn" => &[Self::Forking],
            _ if class.ends_with("Handler") => &[Self::Handler],
            _ => &[Self::Method, Self::Attribute, Self::Private],
        }
    }
}

/// Every name of Python 3.15, and the arguments and private names that programs use. And names of
/// other modules, by which programs do what coroutines do here.
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

/// Those that have no twin on purpose, and the section that says why.
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

/// The twins, spelt as in the page. Each is an expression here, so it exists if this file compiles:
/// that is what the aliases are for.
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

    /// Names of types, traits, functions, modules: imported to see that they are there.
    macro_rules! items {
        ($($item:ident),* $(,)?) => {
            mod items {
                #[allow(unused_imports)]
                use socketserver::{$($item as _),*};
            }
            pub(super) const ITEMS: &[&str] = &[$(stringify!($item)),*];
        };
    }

    /// Methods. One with a generic argument is not a value by itself: it is called instead.
    macro_rules! methods {
        ($($path:path $(= $call:expr)?),* $(,)?) => {
            pub(super) const METHODS: &[&str] = &[$(stringify!($path)),*];
            #[allow(dead_code)]
            fn they_exist() {
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
        HandlerError::is_disconnect,
        HandlerError::is_timeout,
        Job::run,
        Read::read,
        Read::read_exact,
        Read::read_to_end,
        Read::read_to_string,
        Request::client_address,
        Request::close,
        Request::next_line,
        Request::read_exactly,
        Request::readline,
        Request::recv,
        Request::sender,
        Request::send_all = |request: &mut Request| request.send_all(b""),
        Request::server,
        Request::set_timeout = |request: &mut Request| request.set_timeout(Duration::MAX),
        Request::shutdown_request,
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

    /// Whether the page may name it.
    pub(super) fn exists(twin: &str) -> bool {
        all().any(|known| known == twin)
    }

    pub(super) fn all() -> impl Iterator<Item = String> {
        let paths = METHODS.iter().map(|path| path.replace(' ', ""));
        paths.chain(ITEMS.iter().map(|&item| item.to_owned()))
    }
}

// ---- the page ----

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    let path = repository(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    read("docs/from-python.md")
}

/// A row of one of the tables to look things up in.
struct Row {
    heading: String,
    python: String,
    /// None, if there is no twin.
    twins: Vec<String>,
    note: String,
}

fn rows(page: &str) -> Vec<Row> {
    let (_, tables) = page.split_once("\n## Look it up\n").unwrap();
    let (tables, _) = tables.split_once("\n## ").unwrap();
    let mut heading = "";
    let mut rows = Vec::new();
    for line in tables.lines() {
        if let Some(text) = line.strip_prefix("### ") {
            heading = text;
        }
        if !line.starts_with("| ") || line.starts_with("| Python |") || line.starts_with("| ---") {
            continue;
        }
        let cells = cells(line);
        assert_eq!(cells.len(), 3, "a row has three cells: {line}");
        rows.push(Row {
            heading: heading.to_owned(),
            python: cells[0].clone(),
            twins: twins_of(&cells[1], line),
            note: cells[2].clone(),
        });
    }
    rows
}

/// What is between the bars of a table's row, those that are escaped not counting.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    let cells = inner.replace("\\|", "\0");
    let cells = cells.split('|');
    cells
        .map(|cell| cell.replace('\0', "|").trim().to_owned())
        .collect()
}

fn twins_of(cell: &str, row: &str) -> Vec<String> {
    if cell == "none" {
        return Vec::new();
    }
    let code = |text: &str| Some(text.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    cell.split(", ")
        .map(|twin| code(twin).unwrap_or_else(|| panic!("not a name in backticks: {twin}: {row}")))
        .collect()
}

/// The row of a name in the table of its kind.
fn row_of<'a>(rows: &'a [Row], kind: Kind, name: &str) -> Option<&'a Row> {
    let code = format!("`{name}`");
    rows.iter()
        .find(|row| row.heading == kind.heading() && row.python == code)
}

fn names() -> impl Iterator<Item = (Kind, &'static str)> {
    NAMES
        .iter()
        .flat_map(|(kind, names)| names.iter().map(|&name| (*kind, name)))
}

/// What GitHub makes of a heading, for links to it.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
    let text: String = heading.chars().filter(|&c| kept(c)).collect();
    text.to_lowercase().replace(' ', "-")
}

/// The text below a heading, by its anchor.
fn section<'a>(page: &'a str, wanted: &str) -> Option<&'a str> {
    let mut parts = page.split("\n#").skip(1);
    parts.find_map(|part| {
        let (heading, text) = part.split_once('\n')?;
        (anchor(heading.trim_start_matches('#').trim()) == wanted).then_some(text)
    })
}

#[test]
fn every_name_has_a_row_and_every_row_a_name() {
    let page = page();
    let rows = rows(&page);
    for (kind, name) in names() {
        assert!(
            row_of(&rows, kind, name).is_some(),
            "{name} has no row in the table \"{}\"",
            kind.heading()
        );
    }
    let kinds: BTreeSet<_> = NAMES.iter().map(|(kind, _)| kind.heading()).collect();
    let listed = rows
        .iter()
        .filter(|row| kinds.contains(&*row.heading))
        .count();
    assert_eq!(listed, names().count(), "a row twice, or one of no name");
}

#[test]
fn every_twin_exists_and_is_used() {
    let rows = rows(&page());
    for row in &rows {
        for twin in &row.twins {
            assert!(twins::exists(twin), "there is no {twin}: {}", row.python);
        }
    }
    for twin in twins::all() {
        let used = rows.iter().any(|row| row.twins.contains(&twin));
        assert!(used, "{twin} is in no row");
    }
}

#[test]
fn a_name_without_a_twin_has_a_reason() {
    let page = page();
    let rows = rows(&page);
    for row in rows.iter().filter(|row| row.twins.is_empty()) {
        let name = row.python.trim_matches('`');
        let reason = NO_TWIN.iter().find(|(without, _)| *without == name);
        let (_, anchor) = reason.unwrap_or_else(|| panic!("{name} should have a twin"));
        assert!(
            row.note.contains(&format!("](#{anchor})")),
            "no link to the reason: {name}"
        );
        let text = section(&page, anchor).unwrap_or_else(|| panic!("no section {anchor}"));
        assert!(text.contains(&row.python), "no reason for {name}");
    }
    for (name, _) in NO_TWIN {
        let without = |row: &Row| row.twins.is_empty() && row.python == format!("`{name}`");
        assert!(rows.iter().any(without), "{name} has a twin by now");
    }
}

#[test]
fn links_within_the_page_lead_somewhere() {
    let page = page();
    for link in page.split("](#").skip(1) {
        let (anchor, _) = link.split_once(')').unwrap();
        assert!(section(&page, anchor).is_some(), "no section #{anchor}");
    }
}

// ---- the search ----

/// A search alias and where it stands.
struct Alias {
    name: String,
    file: PathBuf,
    item: String,
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn aliases() -> Vec<Alias> {
    let mut files = Vec::new();
    sources(&repository("src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut waiting: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(alias) = line.strip_prefix("#[doc(alias = \"") {
                waiting.push(alias.trim_end_matches("\")]").to_owned());
            } else if ["pub ", "fn ", "unsafe fn "]
                .iter()
                .any(|start| line.starts_with(start))
            {
                found.extend(waiting.drain(..).map(|name| Alias {
                    name,
                    file: file.clone(),
                    item: line.to_owned(),
                }));
            }
        }
    }
    found
}

impl Alias {
    /// Whether searching for it finds this twin.
    fn leads_to(&self, python: &str, twin: &str) -> bool {
        let words = || {
            self.item
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
        };
        let names_it = twin
            .split("::")
            .any(|part| words().any(|word| word == part));
        // rustdoc drops aliases where an item is defined if it is re-exported from a private module:
        // those of types have to stand in src/lib.rs. (It finds them without if only the case
        // differs.)
        let kept = twin.contains("::")
            || twin.eq_ignore_ascii_case(python)
            || self.file == repository("src/lib.rs");
        self.name == python && names_it && kept
    }
}

#[test]
fn searching_the_documentation_for_a_name_finds_its_twin() {
    let rows = rows(&page());
    let aliases = aliases();
    for (kind, name) in names() {
        let Some(row) = row_of(&rows, kind, name) else {
            continue; // another test's business
        };
        let same = |twin: &String| twin.rsplit("::").next() == Some(name);
        let found = row.twins.is_empty()
            || row.twins.iter().any(same)
            || row
                .twins
                .iter()
                .any(|twin| aliases.iter().any(|alias| alias.leads_to(name, twin)));
        assert!(
            found,
            "none of {:?} has #[doc(alias = \"{name}\")]",
            row.twins
        );
    }
}

// ---- Python itself ----

/// What a script of `tests/python/` prints; its standard input is `input`.
fn python(script: &str, input: &str) -> String {
    let mut program = Program::python(script, &[""; 0]);
    program.type_in(input);
    program.finish().success().to_owned()
}

#[test]
fn no_name_of_the_installed_python_is_missing() {
    if !python_is_there() {
        return;
    }
    let listed: Vec<_> = names().collect();
    let installed = python("tests/python/names.py", "");
    for line in installed.lines() {
        match line.split_once('.') {
            None => assert!(
                listed.contains(&(Kind::Class, line)),
                "a name of the module is missing: {line}"
            ),
            Some((class, name)) => assert!(
                Kind::of_members(class)
                    .iter()
                    .any(|&kind| listed.contains(&(kind, name))),
                "a name of a class is missing: {line}"
            ),
        }
    }
    // It did look.
    assert!(installed.lines().any(|line| line == "TCPServer"));
    assert!(
        installed
            .lines()
            .any(|line| line == "StreamRequestHandler.rfile")
    );
}

/// The Python blocks of a page, each with the number of its first line.
fn python_blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "```python" {
            let block = lines.by_ref().map(|(_, line)| line);
            let block: Vec<_> = block.take_while(|line| *line != "```").collect();
            blocks.push((number + 2, block.join("\n")));
        }
    }
    blocks
}

#[test]
fn what_is_shown_as_python_is_python() {
    if !python_is_there() {
        return;
    }
    let mut pages = vec!["README.md".to_owned()];
    for page in fs::read_dir(repository("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        pages.push(format!("docs/{name}"));
    }
    let mut input = String::new();
    for page in &pages {
        for (line, block) in python_blocks(&read(page)) {
            input.push_str(&format!("{page}:{line}\0{block}\0"));
        }
    }
    assert!(!input.is_empty());
    assert_eq!(python("tests/python/parse.py", &input), "");
}
