//! Programs that people use as TLS clients: openssl, curl, Python's `ssl`.
//!
//! A test whose client is not installed prints a line and passes.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use socketserver::tls::ClientCertificates;
use socketserver::{
    Coroutines, HandshakeErrorKind, Request, Service, ThreadPool, Threading, handler_fn,
};

use super::handshakes::reporting;
use super::*;
use crate::support::process::{Program, python, python_is_there};

/// Runs a client to its end with some input, which has no end itself if `keeps_input`. Returns what it has printed on both outputs, and whether it has
/// succeeded. `None` if it is not installed.
fn run(command: &mut Command, input: &str, keeps_input: bool) -> Option<(String, bool)> {
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: {command:?} is not installed");
            return None;
        }
        started => started.unwrap(),
    };
    let mut stdin = child.stdin.take().unwrap();
    // Fails if the client ends first.
    let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    let stdin = keeps_input.then_some(stdin);
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let text = [output.stdout, output.stderr].concat();
    Some((
        String::from_utf8_lossy(&text).into_owned(),
        output.status.success(),
    ))
}

fn s_client(address: &SocketAddr, options: &[&str], input: &str) -> Option<(String, bool)> {
    // The client ends when the server has ended the connection, not at the end of the input.
    run(&mut s_client_command(address, options), input, true)
}

fn s_client_command(address: &SocketAddr, options: &[&str]) -> Command {
    let authority = file("authority.pem");
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-connect",
        &address.to_string(),
        "-servername",
        "localhost",
    ]);
    command
        .args(["-verify_return_error", "-CAfile"])
        .arg(authority);
    command.args(options);
    command
}

/// Answers one line and ends the connection.
fn one_line() -> impl Service<TlsRequest> {
    handler_fn(|request: &mut TlsRequest| {
        let line = request.readline(100)?;
        Ok(request.send_all([b"answer: ", &*line].concat())?)
    })
}

#[test]
fn openssl_speaks_both_versions() {
    let server = serve::<_, ThreadPool>(one_line());
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let Some((text, succeeded)) = s_client(server.server_address(), &[option], "hello\n")
        else {
            return;
        };
        assert!(succeeded && text.contains("answer: hello"), "{text}");
        assert!(
            text.contains(version) && text.contains("Verify return code: 0"),
            "{text}"
        );
    }
    let (text, succeeded) = s_client(server.server_address(), &["-tls1_1"], "hello\n").unwrap();
    assert!(!succeeded && !text.contains("answer"), "{text}");
}

/// The letter R at the begin of a line makes `s_client` ask for a renegotiation.
#[test]
fn a_renegotiation_is_refused() {
    let server = serve::<_, Threading>(echo());
    let Some((text, _)) = s_client(server.server_address(), &["-tls1_2"], "R\n") else {
        return;
    };
    let is_refused = text.contains("RENEGOTIATING") && text.contains("no renegotiation");
    assert!(is_refused, "{text}");
    assert_eq!(connect(server.server_address()).ask("still\n"), "still\n");
}

#[test]
fn openssl_resumes_its_session() {
    let server = serve::<_, Coroutines>(one_line());
    let session = std::env::temp_dir().join(format!("session-{}", unique_name()));
    let path = session.to_str().unwrap();
    let save = ["-tls1_2", "-sess_out", path];
    let Some((text, _)) = s_client(server.server_address(), &save, "hello\n") else {
        return;
    };
    assert!(text.contains("New, TLSv1.2"), "{text}");
    let (text, _) = s_client(
        server.server_address(),
        &["-tls1_2", "-sess_in", path],
        "hello\n",
    )
    .unwrap();
    assert!(
        text.contains("Reused, TLSv1.2") && text.contains("answer: hello"),
        "{text}"
    );
    std::fs::remove_file(session).unwrap();
}

#[test]
fn openssl_shows_its_certificate() {
    let tls = config_with(ClientCertificates::Required(file("authority.pem")));
    let (service, errors) = reporting();
    let server = Server::<Tls<Tcp>, _, Threading>::options().tls(tls);
    let server = server
        .bind(own_loopback(), service)
        .unwrap()
        .spawn()
        .unwrap();
    let [certificate, key] =
        ["client.pem", "client.key"].map(|name| file(name).to_str().unwrap().to_owned());
    let shown = ["-cert", &certificate, "-key", &key];
    let Some((text, _)) = run(
        &mut s_client_command(server.server_address(), &shown),
        "hello\n",
        false,
    ) else {
        return;
    };
    assert!(text.contains("Verify return code: 0"), "{text}");
    s_client(server.server_address(), &[], "hello\n").unwrap();
    assert_eq!(next(&errors), HandshakeErrorKind::ClientCertificate);
}

#[test]
fn curl_speaks_http_over_it() {
    let service = handler_fn(|request: &mut TlsRequest| {
        while request
            .next_text_line(1000)?
            .is_some_and(|line| !line.is_empty())
        {}
        Ok(request
            .send_all("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")?)
    });
    let server = serve::<_, Coroutines>(service);
    let port = server.server_address().port();
    let mut command = Command::new("curl");
    command.arg("--cacert").arg(file("authority.pem"));
    command.args(["--silent", "--show-error", "--max-time", "20"]);
    command
        .arg("--resolve")
        .arg(format!("localhost:{port}:{}", server.server_address().ip()));
    command.arg(format!("https://localhost:{port}/"));
    let Some((text, succeeded)) = run(&mut command, "", false) else {
        return;
    };
    assert!(succeeded, "{text}");
    assert_eq!(text, "hello\n");
}

/// Python's client reads the end of the stream without an error, and says its own in order.
#[test]
fn python_talks_and_ends_in_order() {
    if !python_is_there() {
        return;
    }
    let service = handler_fn(|request: &mut TlsRequest| {
        let line = request.next_line(1_000_000)?.unwrap_or_default();
        Ok(request.send_all(&line)?)
    });
    let server = serve::<_, Threading>(service);
    let address = server.server_address();
    let mut command = python("tests/python/tls_client.py");
    command
        .arg(address.ip().to_string())
        .arg(address.port().to_string())
        .arg(file("authority.pem"));
    let finished = Program::start(command).finish();
    assert!(
        finished.success().starts_with("100001 "),
        "{}",
        finished.success()
    );
    let handle = server.handle();
    server.stop().unwrap();
    assert_eq!((handle.stats().completed, handle.stats().failed), (1, 0));
}
