//! Static files over HTTP/1.1: GET and HEAD, connections that stay open, and ranges.
//!
//! Start the server in one terminal, with an address and a directory:
//!
//! ```text
//! $ cargo run --example file_server localhost:8080 examples
//! listening on 127.0.0.1:8080
//! ```
//!
//! Fetch files in another terminal, or open the address of a file in a browser:
//!
//! ```text
//! $ curl http://localhost:8080/README.md
//! $ curl --range 0-99 http://localhost:8080/README.md
//! $ curl --head http://localhost:8080/README.md
//! ```
//!
//! The server prints a line for each answer. It serves no file outside of its directory. Ctrl-C stops it.

mod common;

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind::InvalidData, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use common::{address, serve_until_ctrl_c};
use socketserver::prelude::*;

const MAX_LINE: usize = 8192;
const MAX_HEAD: usize = 64 * 1024;
const BAD_REQUEST: &str = "HTTP/1.1 400 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CLOSE: &str = "Connection: close\r\n";

struct Head {
    method: String,
    path: Vec<u8>,
    range: Option<String>,
    keep_alive: bool,
}

/// Reads the head of a request. Fails with `InvalidData` if it is malformed, or announces a body.
fn read_head(request: &mut TcpRequest) -> io::Result<Head> {
    let mut text = Vec::new();
    loop {
        let line = request.expect_line(MAX_LINE)?;
        text.extend(&line);
        if line.trim_ascii().is_empty() || text.len() > MAX_HEAD {
            return parse_head(&text).ok_or_else(|| InvalidData.into());
        }
    }
}

fn parse_head(text: &[u8]) -> Option<Head> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(text).ok()?;
    let path = head.path.filter(|path| path.starts_with('/'))?;
    let header = |name| {
        let mut headers = head.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).to_lowercase())
    };
    let announces_body = |header: &httparse::Header<'_>| {
        let is = |name| header.name.eq_ignore_ascii_case(name);
        is("transfer-encoding") || is("content-length") && header.value != b"0"
    };
    let is_served = parsed.is_complete() && !head.headers.iter().any(announces_body);
    is_served.then_some(Head {
        method: head.method?.into(),
        path: percent_decode(path.split('?').next()?),
        range: header("range"),
        keep_alive: head.version? == 1 && header("connection").is_none_or(|value| value != "close"),
    })
}

/// Replaces `%41` by `A`. Leaves malformed sequences as they are.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).unwrap_or_default();
        match u8::from_str_radix(digits, 16) {
            Ok(byte) => decoded.extend([&[byte], &part.as_bytes()[2..]].concat()),
            Err(_) => decoded.extend(format!("%{part}").into_bytes()),
        }
    }
    decoded
}

/// Parses `bytes=0-99`, `bytes=100-` and `bytes=-100`. `None` for other ranges, which are ignored. Empty for a range
/// outside of the file.
fn parse_range(range: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    match (first.parse().ok(), last.parse::<u64>().ok()) {
        (None, Some(length)) if first.is_empty() => Some(size.saturating_sub(length)..size),
        (Some(first), None) if last.is_empty() => Some(first..size),
        (Some(first), Some(last)) if first <= last => Some(first..last.saturating_add(1).min(size)),
        _ => None,
    }
}

struct Directory(PathBuf);

impl Directory {
    /// Opens a file of the directory. `None` if there is none, or it is elsewhere.
    fn open(&self, path: &[u8]) -> Option<(File, u64)> {
        let path = str::from_utf8(path).ok()?.trim_start_matches('/');
        // Resolves `..` and symbolic links. A path with a zero byte is an error.
        let path = self.0.join(path).canonicalize().ok()?;
        // A pipe or a device could block the handler.
        let is_served = path.starts_with(&self.0) && path.metadata().ok()?.is_file();
        let file = is_served.then(|| File::open(path).ok())??;
        let size = file.metadata().ok()?.len();
        Some((file, size))
    }

    /// Answers a request. Returns the status.
    fn respond(&self, head: &Head, request: &mut TcpRequest) -> Result<u16> {
        let (method, found) = (&*head.method, self.open(&head.path));
        let (file, size) = found.map_or((None, 0), |(file, size)| (Some(file), size));
        let range = head.range.as_ref();
        let range = range.and_then(|range| parse_range(range, size));
        let content_range = |range: &str| format!("Content-Range: bytes {range}/{size}\r\n");
        let (status, part, header) = match (method, &file, range) {
            ("GET" | "HEAD", None, _) => (404, 0..0, String::new()),
            ("GET", _, Some(part)) if part.is_empty() => (416, 0..0, content_range("*")),
            ("GET", _, Some(part)) => {
                let range = format!("{}-{}", part.start, part.end - 1);
                (206, part, content_range(&range))
            }
            ("GET" | "HEAD", ..) => (200, 0..size, "Accept-Ranges: bytes\r\n".into()),
            _ => (405, 0..0, "Allow: GET, HEAD\r\n".into()),
        };
        let length = part.end - part.start;
        let close = if head.keep_alive { "" } else { CLOSE };
        // Collects the head and the beginning of the file, so that a small answer is one packet.
        let mut out = BufWriter::with_capacity(64 * 1024, request);
        write!(out, "HTTP/1.1 {status} \r\n{header}{close}")?;
        write!(out, "Content-Length: {length}\r\n\r\n")?;
        if let Some(mut file) = file.filter(|_| method == "GET") {
            file.seek(SeekFrom::Start(part.start))?;
            if io::copy(&mut file.take(length), &mut out)? < length {
                return Err("the file has become shorter".into()); // closes the connection
            }
        }
        out.flush()?;
        Ok(status)
    }
}

/// Serves one client. The directory is the state that all clients share.
fn serve(directory: &Directory, request: &mut TcpRequest) -> Result {
    while request.wait_for_message()? {
        let head = match read_head(request) {
            Ok(head) => head,
            Err(error) if error.kind() == InvalidData => return Ok(request.send_all(BAD_REQUEST)?),
            Err(error) => return Err(error.into()),
        };
        let status = directory.respond(&head, request)?;
        let (client, path) = (request.client_address(), head.path.escape_ascii());
        let _ = writeln!(io::stdout(), "{client} {} {path} {status}", head.method);
        if !head.keep_alive {
            break;
        }
    }
    Ok(())
}

fn main() -> Result {
    let directory = std::env::args().nth(2).unwrap_or_else(|| ".".into());
    let directory = Directory(PathBuf::from(directory).canonicalize()?);
    let server = ThreadingTcpServer::options()
        .timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(10))
        .max_connections(500)
        .bind(address("localhost:8080"), handler_fn_with(directory, serve))?;
    serve_until_ctrl_c(&server)
}
