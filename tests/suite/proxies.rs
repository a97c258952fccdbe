//! Servers behind a proxy that says for whom it has connected (PROXY protocol).

#[cfg(unix)]
mod haproxy;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use socketserver::transport::{ProxyProtocol, Tcp};
use socketserver::{
    AccessList, HandshakeError, HandshakeErrorKind, Rejection, Request, RequestHandler, Result,
    RunningServer, Sequential, Server, ServerHandle, ServerOptions, Service, Strategy, TcpRequest,
    Threading,
};

#[cfg(unix)]
use crate::support::alone::{apart, test_name};
use crate::support::net::*;
use crate::support::process::PATIENCE;

const HOUR: Duration = Duration::from_secs(3600);
const ADA: &str = "PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n";
const BOB: &str = "PROXY TCP4 203.0.113.8 192.0.2.1 50000 443\r\n";

/// Answers each line with the address of the client and that of the proxy.
struct Show;

impl RequestHandler<TcpRequest> for Show {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while let Some(line) = request.next_text_line(100)? {
            let info = request.connection_info();
            let client = *request.client_address();
            let client = match info.proxy() {
                Some(proxy) if proxy.client_address().is_none() => "the proxy".to_owned(),
                _ => client.ip().to_string(),
            };
            writeln!(request, "{client} {line}")?;
        }
        Ok(())
    }
}

struct ShowAll(mpsc::SyncSender<HandshakeErrorKind>);

impl Service<TcpRequest> for ShowAll {
    type Handler = Show;

    fn request_handler(self: &Arc<Self>) -> Show {
        Show
    }

    fn verify_request(&self, request: &TcpRequest) -> bool {
        request.client_address().ip() != IpAddr::from([203, 0, 113, 66])
    }

    fn handshake_error(&self, _: &TcpRequest, error: &HandshakeError) {
        self.0.send(error.kind()).unwrap();
    }
}

type Running<M> = RunningServer<Tcp, ShowAll, M>;

fn serve<M: Strategy + Default>(
    configure: impl FnOnce(ServerOptions<Tcp, ShowAll, M>) -> ServerOptions<Tcp, ShowAll, M>,
) -> (Running<M>, mpsc::Receiver<HandshakeErrorKind>) {
    let (sender, errors) = mpsc::sync_channel(1000);
    let options = configure(Server::<Tcp, ShowAll, M>::options());
    let server = options.bind(own_loopback(), ShowAll(sender)).unwrap();
    (server.grace_period(PATIENCE).spawn().unwrap(), errors)
}

fn required() -> ProxyProtocol {
    ProxyProtocol::required_from(["127.0.0.0/8"]).unwrap()
}

fn client(address: &SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Sends all of `data` and reads to the end.
fn exchange(address: &SocketAddr, data: &str) -> String {
    let mut client = client(address);
    client.write_all(data.as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    // A reset, if the server has closed with unread input.
    let _ = client.read_to_string(&mut answer);
    answer
}

fn the_client_is_that_of_the_proxy<M: Strategy + Default>() {
    let (server, _errors) = serve::<M>(|options| options.proxy_protocol(required()));
    let address = server.server_address();
    assert_eq!(
        exchange(address, &format!("{ADA}hello\n")),
        "203.0.113.7 hello\n"
    );
    assert_eq!(
        exchange(address, "PROXY UNKNOWN\r\nhello\n"),
        "the proxy hello\n"
    );
    // `verify_request` knows the address.
    assert_eq!(
        exchange(address, &format!("{}hello\n", ADA.replace(".7", ".66"))),
        ""
    );
    let handle = server.handle();
    eventually("all have ended", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.rejected_by.verify_request), (2, 1));
}

fn a_bad_header_costs_its_connection<M: Strategy + Default>() {
    let (server, errors) = serve::<M>(|options| options.proxy_protocol(required()));
    let address = server.server_address();
    let long = format!("PROXY TCP4 {}", "1".repeat(200));
    for bad in ["hello\n", "PROXY TCP4 1\r\nhello\n", &long, "PROXY TCP4"] {
        assert_eq!(exchange(address, bad), "", "{bad}");
        assert_eq!(next(&errors), HandshakeErrorKind::ProxyHeader, "{bad}");
    }
    assert_eq!(exchange(address, ""), "");
    assert_eq!(next(&errors), HandshakeErrorKind::Disconnected);
    assert_eq!(
        exchange(address, &format!("{ADA}hello\n")),
        "203.0.113.7 hello\n"
    );
    let counts = server.stats().handshake_errors;
    assert_eq!((counts.proxy_header, counts.disconnected), (4, 1));
}

fn a_late_header_costs_its_connection<M: Strategy + Default>() {
    let limited = required().header_timeout(Duration::from_millis(20));
    let (server, errors) = serve::<M>(|options| options.proxy_protocol(limited));
    let mut silent = client(server.server_address());
    let mut half = client(server.server_address());
    half.write_all(b"PROXY TCP4").unwrap();
    assert_eq!(
        [next(&errors), next(&errors)],
        [HandshakeErrorKind::TimedOut; 2]
    );
    assert_eq!(silent.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!(half.read(&mut [0; 10]).unwrap(), 0);
}

/// A header from elsewhere is never believed.
fn an_untrusted_source_is_served_without_header<M: Strategy + Default>() {
    let elsewhere = ProxyProtocol::required_from(["192.0.2.0/24"]).unwrap();
    let (server, errors) = serve::<M>(|options| options.proxy_protocol(elsewhere));
    let address = server.server_address();
    let lines = ["hello", "PROXY TCP4 is no header here"];
    let answer = exchange(address, &format!("{}\n{}\n", lines[0], lines[1]));
    let answers: Vec<_> = answer
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    assert!(
        answers.iter().map(|answer| answer.1).eq(lines),
        "{answers:?}"
    );
    let is_own = |client: &str| {
        client
            .parse::<IpAddr>()
            .is_ok_and(|client| client.is_loopback())
    };
    assert!(answers.iter().all(|answer| is_own(answer.0)), "{answers:?}");
    let v2 = "\r\n\r\n\0\r\nQUIT\n\u{21}\u{11}\0\u{c}\u{1}\u{1}\u{1}\u{1}\u{2}\u{2}\u{2}\u{2}\0\u{1}\0\u{2}hello\n";
    for spoofed in [&*format!("{ADA}hello\n"), v2] {
        assert_eq!(exchange(address, spoofed), "");
        assert_eq!(next(&errors), HandshakeErrorKind::ProxyHeader);
    }
    let handle = server.handle();
    eventually("all have ended", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!(
        (stats.completed, stats.failed, stats.rejected_by.handshake),
        (1, 0, 2)
    );
}

fn a_header_can_be_optional<M: Strategy + Default>() {
    let optional = ProxyProtocol::optional_from(["127.0.0.0/8"]).unwrap();
    let (server, _errors) = serve::<M>(|options| options.proxy_protocol(optional));
    let address = server.server_address();
    assert_eq!(
        exchange(address, &format!("{ADA}hello\n")),
        "203.0.113.7 hello\n"
    );
    let answer = exchange(address, "\r\n");
    assert!(
        answer.starts_with("127.") && answer.ends_with(" \n"),
        "{answer}"
    );
    let mut direct = client(address);
    for part in ["P", "RO", "\n"] {
        direct.write_all(part.as_bytes()).unwrap();
    }
    let mut answer = [0; 100];
    let size = direct.read(&mut answer).unwrap();
    assert!(answer[..size].ends_with(b" PRO\n"));
}

/// The client of a protocol in which the server speaks first.
fn a_silent_client_without_an_optional_header_is_served<M: Strategy + Default>() {
    let optional = ProxyProtocol::optional_from(["127.0.0.0/8"]).unwrap();
    let optional = optional.header_timeout(Duration::from_millis(20));
    let service = Hooks::new(|request: &mut TcpRequest| Ok(request.send_all("welcome\n")?));
    let options = Server::<Tcp, _, M>::options().proxy_protocol(optional);
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    let mut answer = String::new();
    client(server.server_address())
        .read_to_string(&mut answer)
        .unwrap();
    assert_eq!(answer, "welcome\n");
    let handle = server.handle();
    server.stop().unwrap();
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.rejected), (1, 0), "{stats:?}");
}

/// The only request has ended, because of a header that was forbidden.
fn expect_forbidden(handle: &ServerHandle) {
    eventually("the request has ended", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!(
        (stats.completed, stats.handshake_errors.proxy_header),
        (0, 1),
        "{stats:?}"
    );
}

/// The header comes after the server has taken the client for one without.
fn a_late_optional_header_is_not_the_data_of_the_client<M: Strategy + Default>() {
    let optional = ProxyProtocol::optional_from(["127.0.0.0/8"]).unwrap();
    // The shorter of both times counts.
    let optional = optional.header_timeout(HOUR);
    let (sender, errors) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        request.send_all("welcome\n")?;
        Ok(sender.send(request.next_line(100).is_err())?)
    });
    let options = Server::<Tcp, _, M>::options()
        .proxy_protocol(optional)
        .handshake_timeout(Duration::from_millis(20));
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    let mut late = client(server.server_address());
    late.read_exact(&mut [0; 8]).unwrap();
    late.write_all(ADA.as_bytes()).unwrap();
    assert!(next(&errors));
    expect_forbidden(&server.handle());
}

/// A handler that takes no notice of the error.
fn a_forbidden_header_reaches_no_handler<M: Strategy + Default>() {
    let elsewhere = ProxyProtocol::required_from(["192.0.2.0/24"]).unwrap();
    let (sender, received) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.extend(request.next_line(100).ok().flatten());
        }
        Ok(sender.send(lines)?)
    });
    let options = Server::<Tcp, _, M>::options().proxy_protocol(elsewhere);
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    exchange(server.server_address(), &format!("{ADA}hello\n"));
    assert_eq!(next(&received), Vec::<Vec<u8>>::new());
    expect_forbidden(&server.handle());
}

/// Bytes that precede the handshake would reach the handler as if they had been encrypted.
#[cfg(feature = "tls")]
fn a_part_of_a_header_is_no_begin_of_a_handshake<M: Strategy + Default>() {
    use socketserver::tls::TlsConfig;
    use socketserver::transport::Tls;

    let file = |name| {
        format!(
            "{}/tests/support/certificates/{name}",
            env!("CARGO_MANIFEST_DIR")
        )
    };
    let tls = TlsConfig::from_pem_files(file("server.pem"), file("server.key")).unwrap();
    let optional = ProxyProtocol::optional_from(["127.0.0.0/8"]).unwrap();
    let service = Hooks::<socketserver::TlsRequest>::echo();
    let options = Server::<Tls<Tcp>, _, M>::options()
        .tls(tls)
        .proxy_protocol(optional);
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    let counts = || server.stats().handshake_errors;
    // The server may receive both parts at once, which it takes for a client without TLS.
    eventually("the server has received the first byte alone", || {
        let mut client = client(server.server_address());
        client.write_all(b"P").unwrap();
        std::thread::sleep(Duration::from_millis(1));
        // The begin of a `ClientHello`. Fails if the connection has ended.
        let _ = client.write_all(b"\x16\x03\x01\x02\x00\x01");
        let _ = client.read_to_end(&mut Vec::new());
        counts().proxy_header > 0
    });
    let handle = server.handle();
    server.stop().unwrap();
    assert_eq!(handle.stats().completed + handle.stats().failed, 0);
}

fn limits_go_by_the_client_of_the_proxy<M: Strategy + Default>() {
    let (server, _errors) = serve::<M>(|options| {
        options
            .proxy_protocol(required())
            .max_per_client(1)
            .at_max_per_client(Rejection::message("one is enough\n"))
    });
    let address = server.server_address();
    let mut first = client(address);
    first.write_all(format!("{ADA}one\n").as_bytes()).unwrap();
    let mut answer = [0; 16];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"203.0.113.7 one\n");
    if std::any::type_name::<M>() != std::any::type_name::<Sequential>() {
        assert_eq!(exchange(address, &format!("{ADA}two\n")), "one is enough\n");
        assert_eq!(
            exchange(address, &format!("{BOB}two\n")),
            "203.0.113.8 two\n"
        );
        assert_eq!(server.stats().rejected_by.max_per_client, 1);
    }
    drop(first);
    let handle = server.handle();
    eventually("the first has ended", || handle.stats().active == 0);
    assert_eq!(
        exchange(address, &format!("{ADA}three\n")),
        "203.0.113.7 three\n"
    );
}

fn access_lists_go_by_the_client_of_the_proxy<M: Strategy + Default>() {
    let list = AccessList::new().allow("203.0.113.7").unwrap();
    let (server, _errors) =
        serve::<M>(|options| options.proxy_protocol(required()).access_list(list));
    let address = server.server_address();
    assert_eq!(
        exchange(address, &format!("{ADA}hello\n")),
        "203.0.113.7 hello\n"
    );
    assert_eq!(exchange(address, &format!("{BOB}hello\n")), "");
    // The proxy checks that the server runs.
    assert_eq!(
        exchange(address, "PROXY UNKNOWN\r\nhello\n"),
        "the proxy hello\n"
    );
    let handle = server.handle();
    eventually("all have ended", || handle.stats().active == 0);
    assert_eq!(handle.stats().rejected_by.access_list, 1);
}

/// A client that the access list will deny gets nothing while its header is not complete.
fn a_broadcast_reaches_no_client_before_its_header<M: Strategy + Default>() {
    let list = AccessList::new().deny("203.0.113.0/24").unwrap();
    let (server, _errors) =
        serve::<M>(|options| options.proxy_protocol(required()).access_list(list));
    let (start, rest) = ADA.split_at(20);
    let mut client = client(server.server_address());
    client.write_all(start.as_bytes()).unwrap();
    let handle = server.handle();
    eventually("the client is listed", || handle.requests().len() == 1);
    let results = handle.broadcast("secret\n", PATIENCE);
    let kinds: Vec<_> = results
        .iter()
        .map(|(_, result)| result.as_ref().unwrap_err().kind())
        .collect();
    assert_eq!(kinds, [std::io::ErrorKind::NotConnected]);
    client.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    eventually("the client is denied", || {
        handle.stats().rejected_by.access_list == 1
    });
}

by_strategy!(
    the_client_is_that_of_the_proxy,
    a_bad_header_costs_its_connection,
    a_late_header_costs_its_connection,
    an_untrusted_source_is_served_without_header,
    a_header_can_be_optional,
    a_silent_client_without_an_optional_header_is_served,
    a_late_optional_header_is_not_the_data_of_the_client,
    a_forbidden_header_reaches_no_handler,
    limits_go_by_the_client_of_the_proxy,
    access_lists_go_by_the_client_of_the_proxy,
    a_broadcast_reaches_no_client_before_its_header,
);

#[cfg(feature = "tls")]
by_strategy!(a_part_of_a_header_is_no_begin_of_a_handshake);

/// A child process finds the header, and the parent counts it.
#[cfg(unix)]
#[test]
fn a_child_reports_a_header_from_an_untrusted_source() {
    let name = test_name!("a_child_reports_a_header_from_an_untrusted_source");
    apart(name, a_child_reports_a_header);
}

#[cfg(unix)]
fn a_child_reports_a_header() {
    let elsewhere = ProxyProtocol::required_from(["192.0.2.0/24"]).unwrap();
    let options = Server::<Tcp, _, Sequential>::options().proxy_protocol(elsewhere);
    let (sender, _errors) = mpsc::sync_channel(1000);
    let server = options.bind(own_loopback(), ShowAll(sender)).unwrap();
    let server = server.strategy(forking()).spawn().unwrap();
    assert_eq!(
        exchange(server.server_address(), &format!("{ADA}hello\n")),
        ""
    );
    let handle = server.handle();
    eventually("the child has ended", || handle.stats().active == 0);
    let stats = handle.stats();
    assert_eq!(
        (stats.handshake_errors.proxy_header, stats.failed),
        (1, 0),
        "{stats:?}"
    );
}

/// The list of the server's requests has the address of the client.
#[test]
fn requests_are_listed_with_the_client_of_the_proxy() {
    let (server, _errors) = serve::<Threading>(|options| options.proxy_protocol(required()));
    let mut client = client(server.server_address());
    client
        .write_all(format!("{ADA}hello\n").as_bytes())
        .unwrap();
    client.read_exact(&mut [0; 18]).unwrap();
    let requests = server.handle().requests();
    assert!(
        requests[0]
            .client_address()
            .to_string()
            .starts_with("203.0.113.7:"),
        "{requests:?}"
    );
}
