//! Static files over HTTP/1.1: GET and HEAD, connections that stay open, and ranges.
//!
//! Start the server in one terminal, with an address and a directory:
//!
//! ```text
//! $ cargo run --example file_server localhost:8080 examples
//! listening on 127.0.0.1:8080
//! ```
//!
//! Fetch files in another terminal:
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
use std::io::{self, BufWriter, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::address;
use socketserver::prelude::*;

struct Head {
    method: String,
    path: Vec<u8>,
    range: Option<String>,
    keep_alive: bool,
}

/// Reads the head of a request. `None` if it is malformed, or announces a body.
fn read_head(request: &mut TcpRequest) -> io::Result<Option<Head>> {
    let line = request.next_line(8192)?.unwrap_or_default();
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    let [method, path, version] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Ok(None);
    };
    let mut head = Head {
        method: method.into(),
        path: percent_decode(path.split('?').next().unwrap_or_default()),
        range: None,
        keep_alive: version == "HTTP/1.1",
    };
    if !version.starts_with("HTTP/1.") || !path.starts_with('/') {
        return Ok(None);
    }
    for _ in 0..100 {
        let line = request.next_line(8192)?.unwrap_or_default();
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            return Ok(Some(head));
        }
        let Some((name, value)) = line.split_once(':') else {
            return Ok(None);
        };
        match (&*name.to_ascii_lowercase(), value.trim()) {
            ("range", value) => head.range = Some(value.into()),
            ("connection", value) if value.eq_ignore_ascii_case("close") => head.keep_alive = false,
            ("content-length", "0") => {}
            ("content-length" | "transfer-encoding", _) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Replaces `%41` by `A`. Leaves malformed sequences as they are.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut parts = text.as_bytes().split(|&byte| byte == b'%');
    let mut decoded = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let digits = part.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => decoded.extend([&[byte], &part[2..]].concat()),
            None => decoded.extend([b"%", part].concat()),
        }
    }
    decoded
}

/// Parses `bytes=0-99`, `bytes=100-` and `bytes=-100` into first byte and number of bytes. `None` for other
/// ranges, which are ignored; a length of 0 for a range outside of the file.
fn parse_range(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            (
                first,
                last.checked_add(1).filter(|&end| end > first)?.min(size),
            )
        }
    };
    Some((first, end.saturating_sub(first)))
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

    fn respond(&self, head: &Head, request: &mut TcpRequest) -> Result<u16> {
        let found = self.open(&head.path);
        let size = found.as_ref().map_or(0, |(_, size)| *size);
        let range = head
            .range
            .as_ref()
            .and_then(|range| parse_range(range, size));
        let (status, file, (first, length)) = match (&*head.method, found, range) {
            ("GET" | "HEAD", None, _) => ("404 Not Found", None, (0, 0)),
            ("GET", Some(_), Some((_, 0))) => ("416 Range Not Satisfiable", None, (0, 0)),
            ("GET", Some((file, _)), Some(range)) => ("206 Partial Content", Some(file), range),
            ("GET" | "HEAD", Some((file, _)), _) => ("200 OK", Some(file), (0, size)),
            _ => ("405 Method Not Allowed", None, (0, 0)),
        };
        // Collects the head and the beginning of the file, so that a small answer is one packet.
        let mut out = BufWriter::with_capacity(64 * 1024, request);
        write!(
            out,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nAccept-Ranges: bytes\r\n"
        )?;
        match &status[..3] {
            "206" => {
                let last = first + length - 1;
                write!(out, "Content-Range: bytes {first}-{last}/{size}\r\n")?;
            }
            "416" => write!(out, "Content-Range: bytes */{size}\r\n")?,
            "405" => write!(out, "Allow: GET, HEAD\r\n")?,
            _ => {}
        }
        let connection = if head.keep_alive {
            "keep-alive"
        } else {
            "close"
        };
        write!(out, "Connection: {connection}\r\n\r\n")?;
        if let Some(mut file) = file.filter(|_| head.method == "GET") {
            file.seek(SeekFrom::Start(first))?;
            if io::copy(&mut file.take(length), &mut out)? < length {
                return Err("the file has become shorter".into()); // closes the connection
            }
        }
        out.flush()?;
        Ok(status[..3].parse()?)
    }
}

impl Service<TcpRequest> for Directory {
    type Handler = Connection;

    fn request_handler(self: &Arc<Self>) -> Connection {
        Connection(Arc::clone(self))
    }
}

struct Connection(Arc<Directory>);

impl RequestHandler<TcpRequest> for Connection {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while request.wait_for_message()? {
            let head = match read_head(request) {
                Ok(Some(head)) => head,
                Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                    return Err(error.into());
                }
                _ => {
                    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    return Ok(request.send_all(answer)?);
                }
            };
            let status = self.0.respond(&head, request)?;
            let (client, path) = (request.client_address(), head.path.escape_ascii());
            let method = head.method.escape_debug();
            let _ = writeln!(io::stdout(), "{client} {method} {path} {status}");
            if !head.keep_alive {
                break;
            }
        }
        Ok(())
    }
}

fn main() -> Result {
    let directory = std::env::args().nth(2).unwrap_or_else(|| ".".into());
    let directory = Directory(PathBuf::from(directory).canonicalize()?);
    let server = ThreadingTcpServer::options()
        .timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(10))
        .max_connections(500)
        .bind(address("localhost:8080"), directory)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
