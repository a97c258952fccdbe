//! The protocols of the examples, by `converse`: a handler answers given bytes, without a program and its client.

use std::sync::Arc;

use socketserver::prelude::*;
use socketserver::testing::converse;

#[path = "../../../examples/dns_server.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod dns_server;
#[path = "../../../examples/kv_server.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod kv_server;
#[path = "../../../examples/smtp_sink.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod smtp_sink;
#[path = "../../../examples/socks5_relay.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod socks5_relay;
#[path = "../../../examples/syslog_server.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod syslog_server;
#[path = "../../../examples/time_server.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod time_server;

use dns_server::Answer;
use kv_server::Store;
use socks5_relay::Relay;

#[test]
fn kv_server_answers_pipelined_commands_in_order() {
    let store = || handler_fn_with(Store::default(), kv_server::serve);
    let input = "SET a 1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\nGET a\r\nGET b\r\nDEL a b\r\n";
    let answer = b"+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n:1\r\n";
    assert_eq!(converse(store(), input).unwrap(), answer);
    // A client that leaves inside a command is a disconnect, and no failure.
    let cut = converse(store(), "PING\r\n*2\r\n$3\r\nGE").unwrap_err();
    assert!(cut.error.is_disconnect(), "{}", cut.error);
    assert_eq!(cut.answer, b"");
}

#[test]
fn smtp_sink_accepts_a_message_for_several_recipients() {
    let mail = "EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nrcpt to:<c@b.test>\r\nDATA\r\n\
                hi\r\n.\r\nDATA\r\nQUIT\r\n";
    let answer = converse(smtp_sink::Session::default, mail).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let ends = answer.lines().filter(|line| !line.starts_with("250-"));
    let codes: Vec<_> = ends.map(|line| &line[..3]).collect();
    assert_eq!(
        codes,
        [
            "220", "250", "250", "250", "250", "354", "250", "503", "221"
        ]
    );
}

#[test]
fn syslog_server_answers_nothing_and_rejects_wrong_lengths() {
    let tcp = |input: &str| converse::<TcpRequest, _>(|| syslog_server::Log, input);
    assert_eq!(tcp("<13>one\n5 <14>x").unwrap(), b"");
    let failed = tcp("99999 x").unwrap_err().error;
    assert_eq!(failed.to_string(), "handle failed: a wrong length");
    assert!(tcp("9 <14>x").unwrap_err().error.is_disconnect());
    let udp = converse::<UdpRequest, _>(|| syslog_server::Log, "<13>one");
    assert_eq!(udp.unwrap(), b"");
}

#[test]
fn time_server_answers_over_each_transport() {
    let tcp = converse::<TcpRequest, _>(|| time_server::Time, "").unwrap();
    let udp = converse::<UdpRequest, _>(|| time_server::Time, "").unwrap();
    for answer in [tcp, udp] {
        let time = String::from_utf8(answer).unwrap();
        let time = time.strip_suffix('\n').unwrap();
        assert!(
            crate::support::transcript::parse_ctime(time).is_some(),
            "{time}"
        );
    }
}

#[test]
fn dns_server_answers_over_each_transport() {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x04test\0\0\x01\0\x01";
    let handler = || Answer(Arc::new(dns_server::zone()));
    let udp = converse::<UdpRequest, _>(handler, query).unwrap();
    assert!(udp.starts_with(b"\x12\x34\x85\0\0\x01\0\x01"), "{udp:?}");
    assert!(udp.ends_with(&[0, 4, 192, 0, 2, 1]), "{udp:?}");
    let framed = [&[0, query.len() as u8], &query[..]].concat();
    let tcp = converse::<TcpRequest, _>(handler, framed).unwrap();
    assert_eq!(tcp, [&[0, udp.len() as u8], &udp[..]].concat());
}

#[test]
fn socks5_relay_answers_what_it_does_not_do() {
    let relay = |input: &[u8]| {
        converse(
            handler_fn_with(Relay::default(), socks5_relay::serve),
            input,
        )
    };
    let refused = |reply: u8| vec![5, 0, 5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
    for (input, answer) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], vec![5, 0xff]),
        (b"\x05\x01\x02", vec![5, 0xff]), // a password
        (b"\x05\x00", vec![5, 0xff]),     // no method
        (
            b"\x05\x01\x00\x05\x02\x00\x01\x7f\0\0\x01\0\x50",
            refused(7),
        ), // BIND
        (b"\x05\x01\x00\x05\x01\x00\x09\0\0", refused(8)), // no type of addresses
        (
            b"\x05\x02\x02\x00\x05\x01\x00\x01\xc0\0\x02\x01\0\x50",
            refused(2),
        ), // 192.0.2.1
        (b"\x05\x01\x00\x05\x01\x00\x03\x00\0\x50", refused(4)), // an empty name
        (
            b"\x05\x01\x00\x05\x01\x00\x03\x02\xff\xfe\0\x50",
            refused(4),
        ), // not UTF-8
    ] {
        assert_eq!(relay(input).unwrap(), answer, "{}", input.escape_ascii());
    }
    for cut in [
        &b""[..],
        b"\x05",
        b"\x05\x01\x00\x05\x01",
        b"\x05\x01\x00\x05\x01\x00\x03\x09local",
    ] {
        assert!(
            relay(cut).unwrap_err().error.is_disconnect(),
            "{}",
            cut.escape_ascii()
        );
    }
}
