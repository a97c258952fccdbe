//! Messages of the errors of binding.

use super::*;

/// Checks `{error:?}`, which `main` prints when it returns the error, and `{error}`.
#[track_caller]
pub(super) fn expect_message(error: &Error, parts: &[&str]) {
    let (debug, display) = (format!("{error:?}"), error.to_string());
    let cause = std::error::Error::source(error).map(ToString::to_string);
    assert_eq!(debug, format!("{display}: {}", cause.unwrap()));
    for part in parts {
        assert!(debug.contains(part), "no {part:?} in {debug:?}");
    }
}

#[test]
fn an_address_in_use_is_reported_with_a_remedy() {
    let first = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = *first.server_address();
    let error = error_of(TcpServer::bind(address, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    expect_message(
        &error,
        &[
            "cannot bind to",
            &address.to_string(),
            "another socket is using it",
            "port 0",
        ],
    );
    let first = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = *first.server_address();
    let error = error_of(UdpServer::bind(address, || LineEcho));
    expect_message(
        &error,
        &[&address.to_string(), "another socket is using it"],
    );
}

#[cfg(unix)]
#[test]
fn a_stale_socket_file_is_reported_with_a_remedy() {
    let dir = TempDir::new();
    let path = dir.socket();
    drop(UnixStreamServer::bind(&path, || LineEcho).unwrap());
    let error = error_of(UnixStreamServer::bind(&path, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    expect_message(&error, &[path.to_str().unwrap(), "remove the file"]);
    let error = error_of(UnixDatagramServer::bind(&path, || LineEcho));
    expect_message(&error, &[path.to_str().unwrap(), "remove the file"]);
}

#[test]
fn an_address_of_another_machine_is_reported_as_such() {
    // Reserved for documentation, so no machine has it.
    let error = error_of(TcpServer::bind("192.0.2.1:0", || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrNotAvailable);
    expect_message(&error, &["192.0.2.1:0", "no interface"]);
}

#[test]
fn an_unresolvable_address_is_reported_with_the_right_form() {
    for address in ["localhost", "127.0.0.1", "127.0.0.1:99999", "", ":"] {
        let error = error_of(TcpServer::bind(address, || LineEcho));
        assert!(
            matches!(error, Error::Resolve { .. }),
            "{address:?}: {error:?}"
        );
        expect_message(&error, &["HOST:PORT"]);
    }
    let nothing: &[SocketAddr] = &[];
    let error = error_of(UdpServer::bind(FirstOf::new(nothing), || LineEcho));
    assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
    let error = error_of(UdpServer::bind(nothing, || LineEcho));
    expect_message(&error, &["an empty list"]);
}

#[cfg(unix)]
#[test]
fn an_impossible_path_is_an_error_of_bind() {
    let dir = TempDir::new();
    let missing = dir.socket().join("in-a-directory-that-does-not-exist");
    let error = error_of(UnixStreamServer::bind(&missing, || LineEcho));
    expect_message(&error, &[missing.to_str().unwrap()]);
    let long = format!("/{}", "long/".repeat(100));
    let error = error_of(UnixDatagramServer::bind(&long, || LineEcho));
    expect_message(&error, &[&long]);
    let error = error_of(UnixStreamServer::bind(UnixAddress::Unnamed, || LineEcho));
    expect_message(&error, &["unnamed"]);
}

/// In Python, `""` is an abstract name that the system chooses, and `"\0name"` is an abstract name.
#[cfg(unix)]
#[test]
fn a_path_is_not_taken_for_an_abstract_name() {
    let error = error_of(UnixStreamServer::bind("", || LineEcho));
    expect_message(&error, &["empty"]);
    let error = error_of(UnixDatagramServer::bind("\0name", || LineEcho));
    expect_message(&error, &["UnixAddress::Abstract"]);
}

#[test]
fn errors_without_a_cause_explain_themselves() {
    let server = TcpServer::options().activate(false);
    let server = server.bind(LOOPBACK, || LineEcho).unwrap();
    let error = error_of(server.serve_forever());
    assert!(error.io_error().is_none());
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("server_activate"), "{error}");
}

#[test]
fn options_and_servers_can_be_printed() {
    let options = UdpServer::<fn() -> LineEcho>::options().max_packet_size(1234);
    assert!(format!("{options:?}").contains("1234"));
    let server = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = server.server_address().to_string();
    assert!(format!("{server:?}").contains(&address));
    assert!(format!("{:?}", server.handle()).contains(&address));
}
