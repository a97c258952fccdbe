//! The name server, with `dig`.

use std::net::UdpSocket;

use super::*;

fn dig(server: SocketAddr, question: &[&str]) -> String {
    let (host, port) = (format!("@{}", server.ip()), server.port().to_string());
    let own = [&host, "-p", &port, "+tries=1", "+time=30"];
    let client = run("dig", &[&own, question].concat(), "");
    assert_eq!(client.stderr, "");
    client.text().to_owned()
}

#[test]
fn dig_receives_the_records_over_udp_and_tcp() {
    if !is_installed("dig") {
        return;
    }
    let (server, address) = serve("dns_server", &[]);
    for transport in ["+notcp", "+tcp"] {
        let short = |name, kind| dig(address, &[transport, "+short", name, kind]);
        assert_eq!(short("www.example.test", "A"), "192.0.2.80\n192.0.2.81\n");
        assert_eq!(short("WWW.Example.TEST", "A"), "192.0.2.80\n192.0.2.81\n");
        assert_eq!(short("example.test", "A"), "192.0.2.1\n");
        assert_eq!(short("example.test", "TXT"), "\"a small zone\"\n");

        let full = |name, kind| dig(address, &[transport, name, kind]);
        let no_data = full("www.example.test", "TXT");
        assert!(no_data.contains("status: NOERROR"), "{no_data}");
        assert!(no_data.contains("ANSWER: 0,"), "{no_data}");
        for name in ["nonsense.example.test", ".", "test", "ww.example.test"] {
            let unknown = full(name, "A");
            assert!(unknown.contains("status: NXDOMAIN"), "{unknown}");
            assert!(unknown.contains("flags: qr aa rd;"), "{unknown}");
            assert!(!unknown.to_lowercase().contains("malformed"), "{unknown}");
        }
        let update = dig(address, &[transport, "+opcode=update", "example.test"]);
        assert!(update.contains("status: NOTIMP"), "{update}");
    }
    stop(server);
}

#[test]
fn dig_asks_again_by_tcp_if_the_answer_is_truncated() {
    if !is_installed("dig") {
        return;
    }
    let (server, address) = serve("dns_server", &[]);
    let question = ["long.example.test", "TXT"];
    let truncated = dig(address, &[&question[..], &["+ignore"]].concat());
    assert!(truncated.contains("flags: qr aa tc rd;"), "{truncated}");
    assert!(truncated.contains("ANSWER: 0,"), "{truncated}");
    let whole = dig(address, &question);
    assert!(whole.contains("retrying in TCP mode"), "{whole}");
    assert!(whole.contains("ANSWER: 1,"), "{whole}");
    let text: String = whole.split('"').skip(1).step_by(2).collect();
    assert_eq!(text, "too long for a datagram ".repeat(30));
    stop(server);
}

#[test]
fn dns_server_answers_or_ignores_malformed_queries() {
    let (server, address) = serve("dns_server", &[]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x04test\0\0\x01\0\x01";
    let mut answer = [0; 600];
    // Cuts in the header have no answer; an answer to them would be taken for that of the whole query.
    for size in 0..12 {
        client.send(&query[..size]).unwrap();
    }
    let mut response = *query;
    response[2] |= 0x80;
    client.send(&response).unwrap();
    for size in 12..=query.len() {
        client.send(&query[..size]).unwrap();
        let received = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..2], b"\x12\x34");
        let (code, length) = match size == query.len() {
            true => (0, query.len() + 16),
            false => (1, 12),
        };
        assert_eq!((answer[3], received), (code, length), "{size}");
    }
    // A name that refers to itself, a name without an end, and two questions.
    let endless = [&query[..12], &[b'\x3f'; 400]].concat();
    let mut reference = *query;
    reference[12..14].copy_from_slice(b"\xc0\x0c");
    let mut two = *query;
    two[5] = 2;
    for message in [&endless[..], &reference, &two] {
        client.send(message).unwrap();
        assert_eq!(client.recv(&mut answer).unwrap(), 12);
        assert_eq!(answer[3], 1);
    }
    // Names of 255 bytes and of 256.
    for (last, code) in [(61, 3), (62, 1)] {
        let label = |length: u8| [&[length][..], &vec![b'x'; length.into()]].concat();
        let name = [label(63).repeat(3), label(last), vec![0]].concat();
        let query = [&query[..12], &name, b"\0\x01\0\x01"].concat();
        client.send(&query).unwrap();
        let received = client.recv(&mut answer).unwrap();
        let length = if code == 3 { query.len() } else { 12 };
        assert_eq!((answer[3], received), (code, length), "{last}");
    }

    // Over TCP: one byte at a time, then two queries at once, then a length without a message.
    let framed = [&[0, query.len() as u8], &query[..]].concat();
    let mut client = connect(address);
    for byte in &framed {
        client.write_all(&[*byte]).unwrap();
    }
    let answer = converse(address, &[&framed[..], &framed, b"\xff\xff"].concat());
    assert_eq!(answer.len(), 2 * (2 + query.len() + 16));
    let mut first = vec![0; answer.len() / 2];
    client.read_exact(&mut first).unwrap();
    assert_eq!(first.repeat(2), answer);
    stop(server);
}
