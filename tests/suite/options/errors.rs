//! Errors.

use super::*;

/// What `main` prints when it returns the error, and what `{error}` prints.
#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let (debug, display) = (format!("{error:?}"), error.to_string());
    let cause = std::error::Error::source(error).map(ToString::to_string);
    assert_eq!(debug, format!("{display}: {}", cause.unwrap()));
    for part in parts {
        assert!(debug.contains(part), "no {part:?} in {debug:?}");
    }
}

#[test]
fn an_address_in_use_is_named_and_what_to_do_is_said() {
    let first = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = *first.server_address();
    let error = error_of(TcpServer::bind(address, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    says(
        &error,
        &[
            "cannot bind to",
            &address.to_string(),
            "another server",
            "port 0",
        ],
    );
    let first = UdpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let address = *first.server_address();
    let error = error_of(UdpServer::bind(address, || LineEcho));
    says(&error, &[&address.to_string(), "another server"]);
}

#[test]
fn a_socket_file_that_was_left_behind_is_named_and_what_to_do_is_said() {
    let dir = TempDir::new();
    let path = dir.socket();
    drop(UnixStreamServer::bind(&path, || LineEcho).unwrap());
    let error = error_of(UnixStreamServer::bind(&path, || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
    says(&error, &[path.to_str().unwrap(), "remove the file"]);
    let error = error_of(UnixDatagramServer::bind(&path, || LineEcho));
    says(&error, &[path.to_str().unwrap(), "remove the file"]);
}

#[test]
fn an_address_of_another_machine_is_said_to_be_one() {
    // Reserved for documentation: nobody has it.
    let error = error_of(TcpServer::bind("192.0.2.1:0", || LineEcho));
    assert_eq!(kind_of(&error), ErrorKind::AddrNotAvailable);
    says(&error, &["192.0.2.1:0", "no interface"]);
}

#[test]
fn what_cannot_be_resolved_is_said_and_how_to_write_it() {
    for address in ["localhost", "127.0.0.1", "127.0.0.1:99999", "", ":"] {
        let error = error_of(TcpServer::bind(address, || LineEcho));
        assert!(
            matches!(error, Error::Resolve { .. }),
            "{address:?}: {error:?}"
        );
        says(&error, &["HOST:PORT"]);
    }
    let nothing: &[SocketAddr] = &[];
    let error = error_of(UdpServer::bind(nothing, || LineEcho));
    assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
}

#[test]
fn a_path_that_cannot_be_is_an_error_of_bind() {
    let dir = TempDir::new();
    let missing = dir.socket().join("of-a-directory-that-is-none");
    let error = error_of(UnixStreamServer::bind(&missing, || LineEcho));
    says(&error, &[missing.to_str().unwrap()]);
    let long = format!("/{}", "long/".repeat(100));
    let error = error_of(UnixDatagramServer::bind(&long, || LineEcho));
    says(&error, &[&long]);
    let error = error_of(UnixStreamServer::bind(UnixAddress::Unnamed, || LineEcho));
    says(&error, &["unnamed"]);
}

/// In Python, `""` is a name that the system makes up, and `"\0name"` one without a file.
#[test]
fn a_path_that_is_none_is_not_taken_for_a_name() {
    let error = error_of(UnixStreamServer::bind("", || LineEcho));
    says(&error, &["empty"]);
    let error = error_of(UnixDatagramServer::bind("\0name", || LineEcho));
    says(&error, &["UnixAddress::Abstract"]);
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
