//! A server for log messages (syslog), over UDP and TCP. It prints each message with its facility and severity.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example syslog_server
//! listening on 127.0.0.1:5514
//! ```
//!
//! Send messages in another terminal:
//!
//! ```text
//! $ logger --server 127.0.0.1 --port 5514 --udp --priority mail.err "disk is full"
//! $ logger --server 127.0.0.1 --port 5514 --tcp --octet-count --rfc3164 hello
//! ```
//!
//! Ctrl-C stops the server. An argument replaces the address `127.0.0.1:5514`.

mod common;

use std::io;
use std::time::Duration;

use common::{address, bind_both, serve_both};
use socketserver::prelude::*;

const MAX_MESSAGE: usize = 8192;
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

/// Splits `<13>text` into 13 and the text.
fn parse_priority(message: &str) -> Option<(usize, &str)> {
    let (number, text) = message.strip_prefix('<')?.split_once('>')?;
    Some((number.parse().ok()?, text))
}

/// Prints a message. Escapes control characters, because a terminal would execute them.
fn print(client: &impl std::fmt::Display, message: &[u8]) {
    let message = String::from_utf8_lossy(message);
    let (number, text) = parse_priority(&message).unwrap_or((13, &message));
    let severity = SEVERITIES[number % 8];
    let facility = FACILITIES.get(number / 8).unwrap_or(&"unknown");
    let text = text.trim_end().escape_debug();
    let _ = writeln!(io::stdout(), "{client} {facility}.{severity}: {text}");
}

/// Reads `5 hello`, or a line. `None` at the end.
fn read_message(request: &mut TcpRequest) -> io::Result<Option<Vec<u8>>> {
    if !matches!(request.fill_buf()?.first(), Some(b'0'..=b'9')) {
        return request.next_line(MAX_MESSAGE);
    }
    let mut length = Vec::new();
    request.take(6).read_until(b' ', &mut length)?;
    let length = str::from_utf8(&length).unwrap_or_default().trim_end();
    match length.parse().ok().filter(|&length| length <= MAX_MESSAGE) {
        Some(length) => request.read_exactly(length).map(Some),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "a wrong length")),
    }
}

pub(crate) struct Log;

impl RequestHandler<UdpRequest> for Log {
    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        print(request.client_address(), request.packet());
        Ok(())
    }
}

impl RequestHandler<TcpRequest> for Log {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while request.wait_for_message()? {
            if let Some(message) = read_message(request)? {
                print(request.client_address(), &message);
            }
        }
        Ok(())
    }
}

fn main() -> Result {
    let timeout = Duration::from_secs(600);
    serve_both(bind_both(&address("127.0.0.1:5514"), timeout, || Log)?)
}
