use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};

use proptest::prelude::*;

use super::*;
use crate::handshake_error::{HandshakeError, HandshakeErrorKind};
use crate::sys::fd::AsFd;
use crate::sys::poll::wait_readable;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    (client, listener.accept().unwrap().0)
}

fn proxy() -> SocketAddress {
    SocketAddr::from(([10, 0, 0, 1], 9)).into()
}

/// Sends parts of a connection one after the other, then its end. Returns what the reader makes of it, and the bytes
/// that follow.
fn read(parts: &[&[u8]], is_required: bool) -> (io::Result<ProxyHeader>, Vec<u8>) {
    let (mut client, mut server) = pair();
    let mut reader = ProxyHeaderReader::new(is_required);
    let mut outcome = reader.advance(server.as_fd(), proxy);
    for part in parts {
        assert!(
            matches!(outcome, Ok(ProxyHeader::Incomplete)),
            "{outcome:?}"
        );
        client.write_all(part).unwrap();
        wait_readable([server.as_fd()], None).unwrap();
        outcome = reader.advance(server.as_fd(), proxy);
        if !matches!(outcome, Ok(ProxyHeader::Incomplete)) {
            break;
        }
    }
    client.shutdown(Shutdown::Write).unwrap();
    if matches!(outcome, Ok(ProxyHeader::Incomplete)) {
        wait_readable([server.as_fd()], None).unwrap();
        outcome = reader.advance(server.as_fd(), proxy);
    }
    let mut rest = Vec::new();
    io::Read::read_to_end(&mut server, &mut rest).unwrap();
    (outcome, rest)
}

fn header(parts: &[&[u8]]) -> (ProxyInfo, Vec<u8>) {
    let (outcome, rest) = read(parts, true);
    match outcome.unwrap() {
        ProxyHeader::Complete(info) => (info, rest),
        other => panic!("{other:?}"),
    }
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u16).to_be_bytes();
    [V2_SIGNATURE, &[command, family], &size, body].concat()
}

const IPV4: [u8; 12] = [203, 0, 113, 7, 192, 0, 2, 1, 0xc3, 0x50, 1, 0xbb];

#[test]
fn both_versions_are_read_and_nothing_else() {
    let (info, rest) = header(&[b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\nhello"]);
    assert_eq!(
        info.client_address(),
        Some("203.0.113.7:50000".parse().unwrap())
    );
    assert_eq!(info.destination(), Some("192.0.2.1:443".parse().unwrap()));
    assert_eq!((info.version(), &*rest), (1, &b"hello"[..]));

    let (info, _) = header(&[b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"]);
    assert_eq!(
        info.client_address(),
        Some("[2001:db8::1]:1".parse().unwrap())
    );

    let fields = [2, 0, 3, b'a', b'.', b'b', 5, 0, 0];
    let (info, rest) = header(&[&v2(0x21, 0x11, &[&IPV4[..], &fields].concat()), b"hello"]);
    assert_eq!(
        info.client_address(),
        Some("203.0.113.7:50000".parse().unwrap())
    );
    assert_eq!(info.destination(), Some("192.0.2.1:443".parse().unwrap()));
    assert_eq!(
        (info.field(2), info.field(5), info.field(1)),
        (Some(&b"a.b"[..]), Some(&[][..]), None)
    );
    assert_eq!(
        (info.version(), info.fields().len(), info.proxy_address()),
        (2, 2, &proxy())
    );
    assert_eq!(rest, b"");
}

#[test]
fn a_proxy_connects_for_itself() {
    for local in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(),
        v2(0x20, 0x00, b""),
        v2(0x20, 0x11, b""),
        v2(0x20, 0x11, &IPV4),
        v2(0x21, 0x00, b""),
        v2(0x21, 0x31, &[0; 216]),
    ] {
        let (info, _) = header(&[&local]);
        assert_eq!(
            (info.client_address(), info.destination()),
            (None, None),
            "{local:?}"
        );
        assert_eq!(info.is_local(), local.get(V2_COMMAND) == Some(&V2_LOCAL));
    }
}

#[test]
fn a_bad_header_is_an_error() {
    let long = [b"PROXY TCP4 ", &[b'1'; 120][..], b"\r\n"].concat();
    for bad in [
        b"hello\r\n".to_vec(),
        b"PROXY".to_vec(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 50000".to_vec(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 70000\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.7 192.0.2.1 +50000 443\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.256 192.0.2.1 50000 443\r\n".to_vec(),
        b"PROXY TCP5 203.0.113.7 192.0.2.1 50000 443\r\n".to_vec(),
        b"PROXY  TCP4 203.0.113.7 192.0.2.1 50000 443\r\n".to_vec(),
        long,
        v2(0x31, 0x11, &IPV4),
        v2(0x22, 0x11, &IPV4),
        v2(0x21, 0x41, &IPV4),
        v2(0x21, 0x12, &IPV4),
        v2(0x21, 0x11, &IPV4[..11]),
        v2(0x21, 0x11, &[&IPV4[..], &[2, 0, 9, b'a']].concat()),
        v2(0x21, 0x11, &IPV4)[..20].to_vec(),
    ] {
        let (outcome, _) = read(&[&bad], true);
        let kind = HandshakeError::new(outcome.unwrap_err()).kind();
        assert_eq!(
            kind,
            HandshakeErrorKind::ProxyHeader,
            "{:?}",
            bad.escape_ascii().to_string()
        );
    }
}

#[test]
fn a_header_may_be_absent_if_it_is_not_required() {
    for start in [
        &b"hello"[..],
        b"PRO",
        b"PROX!",
        b"\r\n\r",
        b"\r\n\r\n\0\r\nQUIT",
        b"P",
        b"",
    ] {
        let parts: Vec<_> = start.chunks(1).collect();
        let (outcome, rest) = read(&parts, false);
        let ProxyHeader::Absent(begin) = outcome.unwrap() else {
            panic!("{start:?} is no header");
        };
        let received = [begin, rest].concat();
        assert!(start.starts_with(&received), "{start:?} {received:?}");
    }
    let (outcome, rest) = read(&[b"PROXY UNKNOWN\r\nhello"], false);
    assert!(matches!(outcome, Ok(ProxyHeader::Complete(_))));
    assert_eq!(rest, b"hello");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_header_may_arrive_in_any_pieces(is_text: bool, cuts in prop::collection::vec(1_usize..60, 0..5)) {
        let header_bytes = match is_text {
            true => b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n".to_vec(),
            false => v2(0x21, 0x11, &[&IPV4[..], &[5, 0, 2, 1, 2]].concat()),
        };
        let all = [&*header_bytes, b"hello"].concat();
        let mut parts = Vec::new();
        let mut rest = &all[..];
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        parts.retain(|part| !part.is_empty());
        let (info, rest) = header(&parts);
        prop_assert_eq!(info.client_address(), Some("203.0.113.7:50000".parse().unwrap()));
        prop_assert!(b"hello".starts_with(&rest));
    }

    #[test]
    fn any_bytes_are_read_to_an_end(start in prop::num::u8::ANY, body in prop::collection::vec(any::<u8>(), 0..300), kind in 0..4) {
        let bytes = match kind {
            0 => body,
            1 => [V1_SIGNATURE, &body].concat(),
            2 => [V2_SIGNATURE, &body].concat(),
            _ => v2(0x20 | (start & 1), start, &body),
        };
        for is_required in [true, false] {
            let (outcome, _) = read(&[&bytes], is_required);
            prop_assert!(!matches!(outcome, Ok(ProxyHeader::Incomplete)));
        }
    }
}
