//! A mail server for tests of programs that send mail. It accepts all mail, prints it, and delivers none.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example smtp_sink
//! listening on 127.0.0.1:2525
//! ```
//!
//! Send a mail in another terminal:
//!
//! ```text
//! $ python3 -c 'import smtplib
//! smtplib.SMTP("localhost", 2525).sendmail("ada@a.test", ["bob@b.test"], "Subject: hi\n\nHello")'
//! ```
//!
//! The server prints:
//!
//! ```text
//! from <ada@a.test> to <bob@b.test>, 22 bytes
//! | Subject: hi
//! |
//! | Hello
//! ```
//!
//! Ctrl-C stops the server. An argument replaces the address `localhost:2525`.

mod common;

use std::io;
use std::time::Duration;

use common::{address, serve_until_ctrl_c};
use socketserver::prelude::*;

const MAX_LINE: usize = 2000;
const MAX_MESSAGE: usize = 1024 * 1024;
const MAX_RECIPIENTS: usize = 100;

/// State of one connection: the mail so far.
#[derive(Default)]
pub(crate) struct Session {
    from: Option<String>,
    to: Vec<String>,
}

/// Reads the lines of a message up to the line `.`. `None` if the message is too large; it is read to its
/// end then too.
fn read_message(request: &mut TcpRequest) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut is_too_large = false;
    loop {
        let Some(line) = request.next_line(MAX_LINE)? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if line == b".\r\n" {
            return Ok((!is_too_large).then_some(message));
        }
        // Clients double a dot at the beginning of a line.
        let line = line.strip_prefix(b".").unwrap_or(&line);
        is_too_large |= message.len() + line.len() > MAX_MESSAGE;
        if !is_too_large {
            message.extend(line);
        }
    }
}

impl Session {
    fn print(&self, message: &[u8]) {
        let (from, to) = (self.from.as_deref().unwrap_or_default(), self.to.join(", "));
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "from {from} to {to}, {} bytes", message.len());
        for line in String::from_utf8_lossy(message).lines() {
            // Escapes control characters, because a terminal would execute them.
            let _ = writeln!(out, "{}", format!("| {}", line.escape_debug()).trim_end());
        }
    }

    fn receive(&mut self, request: &mut TcpRequest) -> Result<&'static str> {
        if self.from.is_none() || self.to.is_empty() {
            return Ok("503 first MAIL and RCPT");
        }
        request.send_all("354 end with a line of one dot\r\n")?;
        let message = read_message(request)?;
        if let Some(message) = &message {
            self.print(message);
        }
        *self = Self::default();
        Ok(message.map_or("552 the message is too large", |_| "250 accepted"))
    }
}

/// Returns the address of `FROM:<address> OPTIONS`.
fn parse_address(argument: &str, keyword: &str) -> Option<String> {
    let start = argument.get(..keyword.len())?;
    let rest = argument[keyword.len()..].trim_start();
    let end = rest.find('>')?;
    let is_valid = start.eq_ignore_ascii_case(keyword) && rest.starts_with('<');
    is_valid.then(|| rest[..=end].escape_debug().to_string())
}

impl RequestHandler<TcpRequest> for Session {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        request.send_all("220 smtp_sink\r\n")?;
        while request.wait_for_message()? {
            let line = request.next_line(MAX_LINE)?.unwrap_or_default();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match &*command.to_ascii_uppercase() {
                "EHLO" => &format!("250-smtp_sink\r\n250-8BITMIME\r\n250 SIZE {MAX_MESSAGE}"),
                "HELO" | "NOOP" => "250 smtp_sink",
                "MAIL" => match parse_address(argument, "FROM:") {
                    Some(from) => {
                        (self.from, self.to) = (Some(from), Vec::new());
                        "250 sender accepted"
                    }
                    None => "501 expected MAIL FROM:<address>",
                },
                "RCPT" => match parse_address(argument, "TO:") {
                    Some(_) if self.from.is_none() => "503 first MAIL",
                    Some(_) if self.to.len() >= MAX_RECIPIENTS => "452 too many recipients",
                    Some(to) => {
                        self.to.push(to);
                        "250 recipient accepted"
                    }
                    None => "501 expected RCPT TO:<address>",
                },
                "DATA" => self.receive(request)?,
                "RSET" => {
                    *self = Self::default();
                    "250 reset"
                }
                "QUIT" => return Ok(request.send_all("221 bye\r\n")?),
                _ => "500 unknown command",
            };
            request.send_all(format!("{answer}\r\n"))?;
        }
        Ok(())
    }
}

fn main() -> Result {
    let server = ThreadingTcpServer::options()
        .timeout(Duration::from_secs(60))
        .max_connections(100)
        .bind(address("localhost:2525"), Session::default)?;
    serve_until_ctrl_c(&server)
}
