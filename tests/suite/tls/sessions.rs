//! Reads and writes of TLS connections, and what a handshake agrees on.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::Duration;

use socketserver::tls::{ClientCertificates, TlsInfo};
use socketserver::{
    Coroutines, Request, Sender, Sequential, Strategy, ThreadPool, Threading, TimeoutKind,
    TlsRequest, handler_fn,
};

use super::*;

/// Serves with a configuration, and returns what one client's handshake has agreed on.
fn agreed(
    tls: TlsConfig,
    client: impl FnOnce(SocketAddr) -> std::io::Result<TlsClient>,
) -> Option<TlsInfo> {
    let (sender, infos) = mpsc::channel();
    let service = handler_fn(move |request: &mut TlsRequest| {
        let info = request.connection_info();
        sender.send(info.tls().cloned())?;
        Ok(request.send_all("hello\n")?)
    });
    let server = Server::<Tls<Tcp>, _, Threading>::options().tls(tls);
    let server = server
        .bind(own_loopback(), service)
        .unwrap()
        .spawn()
        .unwrap();
    // With TLS 1.3, a client learns only after its handshake that the server has rejected its certificate.
    let answer = client(*server.server_address()).and_then(|mut client| client.line());
    match answer {
        Ok(answer) if answer == "hello\n" => next(&infos),
        _ => {
            let handle = server.handle();
            eventually("the server rejects the client", || {
                handle.stats().rejected_by.handshake == 1
            });
            None
        }
    }
}

#[test]
fn a_handshake_agrees_on_version_cipher_name_and_protocol() {
    let tls = || {
        TlsConfig::builder()
            .certificate(file("server.pem"), file("server.key"))
            .alpn_protocols(["h2", "http/1.1"])
            .build()
            .unwrap()
    };
    let mut config = Arc::unwrap_or_clone(Authority::known());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let info = agreed(tls(), |address| {
        TlsClient::connect_to(address, &config, "localhost")
    })
    .unwrap();
    assert_eq!(info.version(), "TLSv1.3");
    assert!(
        info.cipher_suite().starts_with("TLS_AES_")
            || info.cipher_suite().starts_with("TLS_CHACHA20_"),
        "{info:?}"
    );
    assert_eq!(info.server_name(), Some("localhost"));
    assert_eq!(info.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(info.peer_certificates().is_empty() && !info.is_resumed());

    let old = Authority::new().only(&rustls::version::TLS12).config(None);
    let info = agreed(tls(), |address| {
        TlsClient::connect_to(address, &old, "localhost")
    })
    .unwrap();
    assert_eq!(info.version(), "TLSv1.2");
}

#[test]
fn old_versions_can_be_rejected() {
    let builder = TlsConfig::builder().certificate(file("server.pem"), file("server.key"));
    let tls = builder.only_tls_1_3().build().unwrap();
    let old = Authority::new().only(&rustls::version::TLS12).config(None);
    assert!(
        agreed(tls, |address| TlsClient::connect_to(
            address,
            &old,
            "localhost"
        ))
        .is_none()
    );
}

#[test]
fn certificates_are_chosen_by_name() {
    let tls = TlsConfig::builder()
        .certificate(file("server.pem"), file("server.key"))
        .certificate_for("other.test", file("other.pem"), file("other.key"))
        .certificate_for("*.other.test", file("other.pem"), file("other.key"))
        .build()
        .unwrap();
    for name in ["localhost", "other.test", "www.other.test"] {
        // The client checks that the certificate is for this name.
        let connect = |address| TlsClient::connect_to(address, &Authority::known(), name);
        let info = agreed(tls.clone(), connect).unwrap();
        assert_eq!(info.server_name(), Some(name));
    }
}

#[test]
fn client_certificates_are_optional_or_required() {
    let number = |clients, certificate: Option<&str>| {
        let config = Authority::new().config(certificate);
        let connect = |address| TlsClient::connect_to(address, &config, "localhost");
        agreed(config_with(clients), connect).map(|info| info.peer_certificates().len())
    };
    let optional = || ClientCertificates::Optional(file("authority.pem"));
    let required = || ClientCertificates::Required(file("authority.pem"));
    assert_eq!(number(ClientCertificates::None, Some("client")), Some(0));
    assert_eq!(number(optional(), None), Some(0));
    assert_eq!(number(optional(), Some("client")), Some(1));
    assert_eq!(number(optional(), Some("stranger")), None);
    assert_eq!(number(required(), Some("client")), Some(1));
    assert_eq!(number(required(), None), None);
    assert_eq!(number(required(), Some("stranger")), None);
}

fn sessions_are_resumed<M: Strategy + Default>() {
    let service = handler_fn(|request: &mut TlsRequest| {
        let info = request.connection_info();
        let is_resumed = info.tls().is_some_and(TlsInfo::is_resumed);
        Ok(writeln!(request, "{is_resumed}")?)
    });
    let server = serve::<_, M>(service);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Authority::new().only(version).config(None);
        let ask = || {
            TlsClient::connect(*server.server_address(), &config)
                .line()
                .unwrap()
        };
        assert_eq!(ask(), "false\n");
        assert_eq!(ask(), "true\n");
    }
}

/// The certificate of a client is checked again after its authorities were read again.
#[test]
fn sessions_with_certificates_end_with_a_reload() {
    let service = || {
        handler_fn(|request: &mut TlsRequest| {
            let info = request.connection_info();
            let is_resumed = info.tls().is_some_and(TlsInfo::is_resumed);
            Ok(writeln!(request, "{is_resumed}")?)
        })
    };
    for (clients, is_kept) in [
        (ClientCertificates::None, true),
        (ClientCertificates::Optional(file("authority.pem")), false),
        (ClientCertificates::Required(file("authority.pem")), false),
    ] {
        let tls = config_with(clients);
        let server = Server::<Tls<Tcp>, _, Threading>::options().tls(tls.clone());
        let server = server.bind(own_loopback(), service()).unwrap();
        let server = server.spawn().unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = Authority::new().only(version).config(Some("client"));
            let ask = || {
                let client = TlsClient::connect(*server.server_address(), &config).line();
                client.unwrap() == "true\n"
            };
            assert!(!ask() && ask());
            tls.reload().unwrap();
            // TLS 1.2 remembers sessions in the server, too, and this memory ends.
            assert_eq!(ask(), is_kept);
        }
    }
}

/// Connections that begin during the exchange get the old certificate or the new one.
fn certificates_are_exchanged_under_load<M: Strategy + Default>() {
    let directory = std::env::temp_dir().join(format!("tls-{}", unique_name()));
    std::fs::create_dir(&directory).unwrap();
    let own = |name: &str| directory.join(name);
    let install = |name: &str| {
        std::fs::copy(file(&format!("{name}.pem")), own("server.pem")).unwrap();
        std::fs::copy(file(&format!("{name}.key")), own("server.key")).unwrap();
    };
    install("server");
    let tls = TlsConfig::from_pem_files(own("server.pem"), own("server.key")).unwrap();
    let server = Server::<Tls<Tcp>, _, M>::options().tls(tls.clone());
    let server = server
        .bind(own_loopback(), echo())
        .unwrap()
        .spawn()
        .unwrap();
    let address = *server.server_address();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(connect(&address).ask("hello\n"), "hello\n");
                    }
                })
            })
            .collect();
        while !clients.iter().all(|client| client.is_finished()) {
            install("renewed");
            tls.reload().unwrap();
            install("server");
            tls.reload().unwrap();
        }
    });
    // An error keeps what is in use.
    std::fs::write(own("server.key"), "nonsense").unwrap();
    tls.reload().unwrap_err();
    assert_eq!(connect(&address).ask("after\n"), "after\n");
    std::fs::remove_dir_all(directory).unwrap();
}

/// The writes of another thread do not wait for the handler's read.
fn a_sender_writes_while_the_handler_reads<M: Strategy + Default>() {
    let (senders, all) = mpsc::channel::<Sender>();
    let service = handler_fn(move |request: &mut TlsRequest| {
        senders.send(request.sender())?;
        let line = request.next_line(100)?.unwrap_or_default();
        Ok(request.send_all(line)?)
    });
    let server = serve::<_, M>(service);
    let mut client = connect(server.server_address());
    let sender = next(&all);
    for number in 0..10 {
        sender.send_all(format!("{number}\n")).unwrap();
        assert_eq!(client.line().unwrap(), format!("{number}\n"));
    }
    let results = server.handle().broadcast("to all\n", PATIENCE);
    assert!(results.iter().all(|(_, result)| result.is_ok()));
    assert_eq!(client.line().unwrap(), "to all\n");
    assert_eq!(client.ask("end\n"), "end\n");
    assert_eq!(client.rest().unwrap(), b"");
}

fn a_client_renews_its_keys<M: Strategy + Default>() {
    let server = serve::<_, M>(echo());
    let mut client = connect(server.server_address());
    for round in 0..20 {
        client.renew_keys();
        let line = format!("line {round}\n");
        assert_eq!(client.ask(&line), line);
    }
    for _ in 0..20 {
        client.renew_keys();
    }
    assert_eq!(client.ask("last\n"), "last\n");
    // A client that does nothing else only costs the server its work.
    for _ in 0..100 {
        client.renew_keys();
    }
    let answer = client.try_send("never\n").and_then(|()| client.line());
    assert_eq!(answer.unwrap_or_default(), "");
}

/// Both directions at the same time, with more than any buffer holds.
fn large_messages_arrive_in_both_directions<M: Strategy + Default>() {
    const SIZE: usize = 3_000_000;
    let service = handler_fn(|request: &mut TlsRequest| {
        let data = request.read_exactly(SIZE)?;
        Ok(request.send_all(data)?)
    });
    let server = serve::<_, M>(service);
    let mut client = connect(server.server_address());
    let data: Vec<u8> = (0..SIZE).map(|n| (n * 7 + n / 256) as u8).collect();
    client.send(&data);
    assert!(client.rest().unwrap() == data);
}

fn the_end_without_close_notify_can_be_told<M: Strategy + Default>() {
    let (sender, ends) = mpsc::channel();
    let service = handler_fn(move |request: &mut TlsRequest| {
        let line = request.next_line(100)?;
        let end = request.recv(100)?;
        Ok(sender.send((line, end, request.socket().has_close_notify()))?)
    });
    let server = serve::<_, M>(service);
    for orderly in [true, false] {
        let mut client = connect(server.server_address());
        client.send("hello\n");
        match orderly {
            true => client.finish(),
            false => client.socket().shutdown(Shutdown::Write).unwrap(),
        }
        assert_eq!(
            next(&ends),
            (Some(b"hello\n".to_vec()), Vec::new(), orderly)
        );
        assert_eq!(client.rest().unwrap(), b"", "the server ends in order");
    }
    let handle = server.handle();
    server.stop().unwrap();
    assert_eq!((handle.stats().completed, handle.stats().failed), (2, 0));
}

/// A client that is cut does not take the end for an orderly one.
fn a_force_closed_client_gets_no_close_notify<M: Strategy + Default>() {
    let server = options::<_, M>().bind(own_loopback(), echo()).unwrap();
    let server = server
        .grace_period(Duration::ZERO)
        .force_close_timeout(PATIENCE)
        .spawn()
        .unwrap();
    let mut client = connect(server.server_address());
    assert_eq!(client.ask("hello\n"), "hello\n");
    client.send("no end of line");
    let handle = server.handle();
    eventually("the server has the half line", || {
        handle.stats().bytes_received >= 20
    });
    let report = server.stop().unwrap();
    assert_eq!(report.force_closed.len(), 1);
    let end = client.rest().unwrap_err().kind();
    assert!(
        matches!(end, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{end}"
    );
}

/// Each record of a client that sends a byte at a time takes longer than a read may.
fn a_byte_at_a_time_is_no_way_around_timeouts<M: Strategy + Default>() {
    let (sender, errors) = mpsc::channel();
    let service = handler_fn(move |request: &mut TlsRequest| {
        let error = request.recv(100).unwrap_err();
        Ok(sender.send(TimeoutKind::of(&error))?)
    });
    let options = options::<_, M>().read_timeout(Duration::from_millis(50));
    let server = options
        .bind(own_loopback(), service)
        .unwrap()
        .spawn()
        .unwrap();
    let client = connect(server.server_address());
    let mut socket = client.socket();
    // A record of 4096 bytes.
    socket.write_all(b"\x17\x03\x03\x10\x00").unwrap();
    loop {
        match errors.recv_timeout(Duration::from_millis(10)) {
            Ok(error) => break assert_eq!(error, Some(TimeoutKind::Read)),
            Err(_) => socket.write_all(b"x").unwrap(),
        }
    }
}

/// A write that times out, or finds no space, and is tried again sends each byte once.
#[test]
fn a_repeated_write_sends_each_byte_once() {
    type Send = fn(&TlsSocket<TcpStream>, &[u8]) -> std::io::Result<usize>;
    const SIZE: usize = 8_000_000;
    let data: Vec<u8> = (0..SIZE).map(|n| (n / 1000) as u8).collect();
    for send in [TlsSocket::send as Send, TlsSocket::try_send] {
        let listener = TcpListener::bind(own_loopback()).unwrap();
        let address = listener.local_addr().unwrap();
        let (read, may_read) = mpsc::channel();
        let client = std::thread::spawn(move || {
            let mut client = connect(&address);
            next(&may_read);
            client.rest().unwrap()
        });
        let socket = accept_from(&listener);
        socket.set_timeout(Some(Duration::from_millis(10))).unwrap();
        let (mut sent, mut failures) = (0, 0);
        while sent < SIZE {
            match send(&socket, &data[sent..]) {
                Ok(size) => sent += size,
                Err(error) => {
                    assert!(matches!(
                        error.kind(),
                        ErrorKind::TimedOut | ErrorKind::WouldBlock
                    ));
                    failures += 1;
                    // The client reads only now, so that some writes have failed before.
                    if failures == 3 {
                        read.send(()).unwrap();
                    }
                }
            }
        }
        assert!(failures >= 3);
        socket.finish().unwrap();
        assert!(client.join().unwrap() == data);
    }
}

by_strategy!(
    sessions_are_resumed,
    certificates_are_exchanged_under_load,
    a_sender_writes_while_the_handler_reads,
    a_client_renews_its_keys,
    large_messages_arrive_in_both_directions,
    the_end_without_close_notify_can_be_told,
    a_force_closed_client_gets_no_close_notify,
    a_byte_at_a_time_is_no_way_around_timeouts,
);

/// Handlers see by which address a client has come, also after a handshake on a thread of the server.
#[test]
fn every_address_of_a_server_has_tls() {
    let strategies: [Box<dyn Strategy>; 3] = [
        Box::new(Threading::new()),
        Box::new(ThreadPool::new(2)),
        Box::new(Coroutines::new().workers(2)),
    ];
    for strategy in strategies {
        let service = Hooks::new(|request: &mut TlsRequest| {
            let info = request.connection_info();
            Ok(writeln!(
                request,
                "{} {}",
                info.listener(),
                info.is_encrypted()
            )?)
        });
        let options = options::<_, Sequential>();
        let server = options
            .bind([LOOPBACK, LOOPBACK, LOOPBACK], service)
            .unwrap();
        let server = server.strategy(strategy).spawn().unwrap();
        assert_eq!(server.server_addresses().count(), 3);
        for address in server.server_addresses() {
            let mut client = connect(address);
            assert_eq!(client.line().unwrap(), format!("{address} true\n"));
        }
        server.stop().unwrap();
    }
}
