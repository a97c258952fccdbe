//! Compares the tables of `docs/reference/options.md` with the code: each setting has a row, each row has a setting,
//! and the defaults are those of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use socketserver::testing::TIME_LIMIT;
use socketserver::transport::{SocketOptions, Tcp, TimeoutConfig, Udp, UnixDatagram, UnixStream};
use socketserver::{
    Coroutines, Forking, Result, TcpRequest, TcpServer, ThreadPool, Threading, Transport,
    handler_fn,
};

/// The sources of settings, and the type that has them. The page has those of all features.
const SOURCES: [(&str, &str); 15] = [
    ("ServerOptions", "src/server/options.rs"),
    ("ServerOptions", "src/server/options/access.rs"),
    ("ServerOptions", "src/server/options/limits.rs"),
    ("ServerOptions", "src/server/options/proxy_protocol.rs"),
    ("ServerOptions", "src/server/options/socket_file.rs"),
    ("ServerOptions", "src/server/options/timeouts.rs"),
    ("ServerOptions", "src/server/options/tls.rs"),
    ("Server", "src/server/settings.rs"),
    ("Server", "src/server/mod.rs"),
    ("ServerGroup", "src/server/group.rs"),
    ("Threading", "src/strategy/threading.rs"),
    ("ThreadPool", "src/strategy/thread_pool.rs"),
    ("Forking", "src/strategy/forking.rs"),
    ("ProxyProtocol", "src/transport/proxy_protocol.rs"),
    ("TlsConfigBuilder", "src/tls/config.rs"),
];

const COROUTINES: (&str, &str) = ("Coroutines", "src/strategy/coroutines/mod.rs");

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the public methods of a source that take the value and return it changed.
fn settings_in(source: &str) -> Vec<String> {
    let functions = source.split("    pub fn ").skip(1);
    let settings = functions.filter_map(|function| {
        let head = function.split('{').next()?;
        let (name, arguments) = head.split_once('(')?;
        let takes_self = ["self", "mut self"]
            .iter()
            .any(|first| arguments.trim_start().starts_with(first));
        let returns_self = head.contains("-> Self") || head.contains("-> Server<T, S, N>");
        let name = name.split('<').next()?;
        (takes_self && returns_self).then(|| name.to_owned())
    });
    settings.collect()
}

fn settings() -> BTreeSet<String> {
    let sources = SOURCES.iter().chain([&COROUTINES]);
    let settings = sources.flat_map(|(owner, path)| {
        let settings = settings_in(&read(path));
        assert!(!settings.is_empty(), "{path} has no setting");
        settings
            .into_iter()
            .map(move |name| format!("{owner}::{name}"))
    });
    settings.collect()
}

/// Returns the full name and the cells of the rows whose first cell begins with a name in code. Above a table whose
/// rows have the names of methods only, the page says of which type they are.
fn rows() -> Vec<(String, Vec<String>)> {
    let page = read("docs/reference/options.md");
    let mut rows = Vec::new();
    let mut owner = None;
    for line in page.lines() {
        if line.starts_with("## ") {
            owner = None;
        } else if let Some(methods) = line.strip_prefix("Methods of `") {
            owner = methods.split('`').next();
        } else if let Some(row) = line.strip_prefix("| `") {
            let name = row.split('`').next().unwrap();
            let name = match owner {
                Some(owner) => format!("{owner}::{name}"),
                None => name.to_owned(),
            };
            let cells = row.trim_end_matches('|').split('|');
            rows.push((name, cells.map(|cell| cell.trim().to_owned()).collect()));
        }
    }
    rows
}

/// Returns the default that the page states for a setting.
fn default_of(setting: &str) -> String {
    let mut rows = rows();
    rows.retain(|(name, _)| name == setting);
    assert_eq!(rows.len(), 1, "rows of {setting}");
    rows[0].1[1].clone()
}

#[track_caller]
fn assert_states(setting: &str, default: &str) {
    let stated = default_of(setting);
    let rest = stated.strip_prefix(default);
    assert!(
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric())),
        "the page states {stated:?} for {setting}, and the code has {default:?}"
    );
}

/// Formats a number with commas, as the page does.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits; // 1024 has none
    }
    let (thousands, rest) = digits.split_at(digits.len() - 3);
    format!("{thousands},{rest}")
}

fn answer(_request: &mut TcpRequest) -> Result {
    Ok(())
}

#[test]
fn the_tables_have_every_setting() {
    let settings = settings();
    assert!(settings.len() > 40, "{settings:?}");
    let rows = rows();
    let named: BTreeSet<_> = rows
        .iter()
        .map(|(name, _)| name.clone())
        .filter(|name| {
            let owners = SOURCES.iter().chain([&COROUTINES]);
            name.split_once("::")
                .is_some_and(|(owner, _)| owners.clone().any(|(other, _)| *other == owner))
        })
        .filter(|name| name != "ThreadPool::new") // its argument is a setting
        .collect();
    assert_eq!(named, settings);
}

#[test]
fn the_defaults_of_sockets_are_those_of_the_transports() {
    let (tcp, udp) = (Tcp::default_options(), Udp::default_options());
    let (stream, datagram) = (
        UnixStream::default_options(),
        UnixDatagram::default_options(),
    );
    assert_states(
        "ServerOptions::allow_reuse_address",
        &format!(
            "`{}` (TCP), `{}` (UDP)",
            tcp.allow_reuse_address, udp.allow_reuse_address
        ),
    );
    assert_states(
        "ServerOptions::allow_reuse_port",
        &format!("`{}`", tcp.allow_reuse_port),
    );
    assert_eq!(udp.allow_reuse_port, tcp.allow_reuse_port);
    assert_states("ServerOptions::only_v6", "not set");
    assert_eq!((tcp.only_v6, udp.only_v6), (None, None));
    if cfg!(target_os = "linux") {
        let connections = grouped(tcp.request_queue_size as usize);
        assert_states(
            "ServerOptions::request_queue_size",
            &format!("{connections} connections on Linux"),
        );
    }
    assert_eq!(stream.request_queue_size, tcp.request_queue_size);
    assert_states(
        "ServerOptions::disable_nagle_algorithm",
        &format!("`{}`", tcp.disable_nagle_algorithm),
    );
    assert_states(
        "ServerOptions::defer_accept",
        &format!("`{:?}`", tcp.defer_accept),
    );
    assert_states(
        "ServerOptions::max_packet_size",
        &format!(
            "{} bytes (UDP), {} bytes (Unix datagrams)",
            grouped(udp.max_packet_size),
            grouped(datagram.max_packet_size)
        ),
    );
    assert_eq!(SocketOptions::MAX_PACKET_SIZE, 64 << 20);
    assert_states(
        "ServerOptions::replace_stale",
        &format!("`{}`", stream.replace_stale),
    );
    assert_eq!(datagram.replace_stale, stream.replace_stale);
    assert_states(
        "ServerOptions::remove_on_close",
        &format!("`{}`", stream.remove_on_close),
    );
    assert_eq!(datagram.remove_on_close, stream.remove_on_close);
    for setting in ["mode", "owner", "group"] {
        assert_states(&format!("ServerOptions::{setting}"), "not set");
    }
    for options in [&stream, &datagram] {
        assert_eq!(
            (options.mode, options.owner, options.group),
            (None, None, None)
        );
    }
    assert!(tcp.before_bind.is_none());
    for options in [tcp, udp, stream, datagram] {
        let times = options.timeouts;
        for (setting, time) in [
            ("timeout", times.read),
            ("read_timeout", times.read),
            ("write_timeout", times.write),
            ("first_byte_timeout", times.first_byte),
            ("idle_timeout", times.idle),
            ("request_timeout", times.request),
            ("linger", times.linger),
        ] {
            assert_states(&format!("ServerOptions::{setting}"), &format!("`{time:?}`"));
        }
        assert_eq!(times.handshake, Some(TimeoutConfig::DEFAULT_HANDSHAKE));
    }
}

#[test]
fn the_defaults_of_handshakes_are_those_of_the_code() {
    let seconds = TimeoutConfig::DEFAULT_HANDSHAKE.as_secs();
    assert_states("ServerOptions::handshake_timeout", &format!("{seconds} s"));
    #[cfg(feature = "proxy-protocol")]
    {
        let seconds = socketserver::transport::ProxyProtocol::DEFAULT_HEADER_TIMEOUT.as_secs();
        assert_states("ProxyProtocol::header_timeout", &format!("{seconds} s"));
    }
}

#[test]
fn the_defaults_of_limits_are_those_of_the_options() {
    let options = TcpServer::options();
    let fields = format!("{options:?}");
    drop(options.bind("127.0.0.1:0", handler_fn(answer)).unwrap()); // names the type of the service
    for setting in [
        "max_connections",
        "at_max_connections",
        "max_per_client",
        "at_max_per_client",
        "accept_rate",
        "at_accept_rate",
        "activate",
    ] {
        let stated = default_of(&format!("ServerOptions::{setting}"));
        let field = format!(" {setting}: {}", stated.trim_matches('`'));
        assert!(fields.contains(&field), "no{field} in {fields}");
    }
}

/// These defaults have no public name.
#[test]
fn the_defaults_of_servers_are_those_of_the_sources() {
    for (setting, stated, path, code) in [
        (
            "poll_interval",
            "500 ms",
            "src/server/mod.rs",
            "const DEFAULT_POLL_INTERVAL: Duration = Duration::from_millis(500);",
        ),
        (
            "handle_request_timeout",
            "`None`",
            "src/server/mod.rs",
            "handle_request_timeout: None,",
        ),
        (
            "grace_period",
            "2 s",
            "src/state/shutdown_config.rs",
            "grace_period: Duration::from_secs(2),",
        ),
        (
            "lame_duck",
            "0 s",
            "src/state/shutdown_config.rs",
            "lame_duck: Duration::ZERO,",
        ),
        (
            "force_close_spread",
            "0 s",
            "src/state/shutdown_config.rs",
            "force_close_spread: Duration::ZERO,",
        ),
        (
            "force_close_timeout",
            "150 ms",
            "src/state/shutdown_config.rs",
            "force_close_timeout: Duration::from_millis(150),",
        ),
        (
            "backlog_policy",
            "`Serve`; `Leave` after `from_listener`",
            "src/server/drain.rs",
            "backlog_policy: BacklogPolicy::Serve,",
        ),
        (
            "block_on_close",
            "`true`",
            "src/server/drain.rs",
            "block_on_close: true,",
        ),
    ] {
        assert_states(&format!("Server::{setting}"), stated);
        assert!(read(path).contains(code), "no {code} in {path}");
    }
}

#[test]
fn the_defaults_of_strategies_are_those_of_the_code() {
    let field = |strategy: &str, setting: &str| {
        let (_, rest) = strategy.split_once(&format!(" {setting}: ")).unwrap();
        rest.split([',', ' ', '}']).next().unwrap().to_owned()
    };
    let threading = format!("{:?}", Threading::new());
    assert_eq!(
        field(&threading, "max_threads"),
        Threading::DEFAULT_MAX_THREADS.to_string()
    );
    assert_states(
        "Threading::max_threads",
        &grouped(Threading::DEFAULT_MAX_THREADS),
    );
    let millis = Threading::DEFAULT_KEEP_ALIVE.as_millis();
    assert_states("Threading::keep_alive", &format!("{millis} ms"));
    assert_eq!(
        field(&threading, "keep_alive"),
        format!("{:?}", Threading::DEFAULT_KEEP_ALIVE)
    );
    assert_eq!(field(&threading, "stack_size"), "None");
    assert_states(
        "Threading::stack_size",
        "2 MiB, the default of `std::thread`",
    );

    let processors = thread::available_parallelism().map_or(1, usize::from);
    let pool = format!("{:?}", ThreadPool::default());
    assert_states(
        "ThreadPool::new",
        "one thread for each processor and 4 more, at most 32",
    );
    assert_eq!(
        field(&pool, "threads"),
        (processors + 4).min(32).to_string()
    );
    assert_states("ThreadPool::queue_size", "the number of threads");
    assert_eq!(field(&pool, "queue_size"), field(&pool, "threads"));
    assert_eq!(field(&pool, "stack_size"), "None");
    assert_eq!(ThreadPool::MAX, 65_536);

    let children = Forking::DEFAULT_MAX_CHILDREN.to_string();
    assert_states("Forking::max_children", &children);
    assert_states("Server::max_children", &children);
    assert_eq!(
        field(&format!("{:?}", Forking::new()), "max_children"),
        children
    );

    let coroutines = format!("{:?}", Coroutines::new());
    assert_states("Coroutines::workers", "one for each processor");
    assert_eq!(field(&coroutines, "workers"), processors.to_string());
    let size = Coroutines::DEFAULT_STACK_SIZE;
    assert_states(
        "Coroutines::stack_size",
        &format!("{} bytes", grouped(size)),
    );
    assert_eq!(field(&coroutines, "stack_size"), size.to_string());
    let most = Coroutines::DEFAULT_MAX_COROUTINES;
    assert_states("Coroutines::max_coroutines", &grouped(most));
    assert_eq!(field(&coroutines, "max_coroutines"), most.to_string());
}

#[test]
fn the_time_limit_of_tests_is_that_of_the_page() {
    assert_eq!(TIME_LIMIT, Duration::from_secs(10));
    assert_states("testing::Client::set_timeout", "10 s");
    assert_states("testing::wait_until", "10 s");
}
