//! The log server, with `logger`.

use std::net::UdpSocket;

use super::*;

#[test]
fn logger_sends_messages_over_udp_and_tcp() {
    if !is_installed("logger") {
        return;
    }
    let (mut server, address) = serve("syslog_server", &[]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    for transport in [
        &["--udp"][..],
        &["--tcp"],
        &["--tcp", "--octet-count"],
        &["--udp", "--rfc3164"],
        &["--tcp", "--rfc3164"],
    ] {
        let own = ["--server", &host, "--port", &port, "--priority", "mail.err"];
        let arguments = [&own, transport, &["disk is full"]].concat();
        run("logger", &arguments, "");
        let line = server.line();
        assert!(line.contains(" mail.err: "), "{transport:?}: {line}");
        assert!(line.ends_with(" disk is full"), "{transport:?}: {line}");
    }
    stop(server);
}

#[test]
fn syslog_server_prints_malformed_messages() {
    let (mut server, address) = serve("syslog_server", &[]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (message, printed) in [
        (&b"no priority"[..], "user.notice: no priority"),
        (b"<999>x", "unknown.debug: x"),
        (
            b"<99999999999999999999999>x",
            "user.notice: <99999999999999999999999>x",
        ),
        (b"<0>\x1b[2J\xff", "kern.emerg: \\u{1b}[2J\u{fffd}"),
        (b"<", "user.notice: <"),
    ] {
        client.send_to(message, address).unwrap();
        let line = server.line();
        assert!(
            line.ends_with(&format!(" {printed}")),
            "{message:?}: {line}"
        );
    }
    assert_eq!(converse(address, b"<13>one\n7 <14>two<15>three"), b"");
    for printed in ["user.notice: one", "user.info: two", "user.debug: three"] {
        let line = server.line();
        assert!(line.ends_with(&format!(" {printed}")), "{line}");
    }
    // A wrong length fails the request of that client only, and is reported.
    for input in [&b"99999 x"[..], b"123456789 x", b"1x <13>"] {
        assert_eq!(converse(address, input), b"");
    }
    client.send_to(b"<13>alive", address).unwrap();
    assert!(server.line().ends_with(" user.notice: alive"));
    server.signal(Signal::SIGINT);
    let server = server.finish();
    assert!(server.status.success());
    assert_eq!(server.stderr.matches("a wrong length").count(), 3);
}
