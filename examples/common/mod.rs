//! Functions that several examples share: the command line, prompts, and Python's format of bytes
//! and times. The Python twin is `examples/python/common.py`.

#![allow(dead_code)] // No example uses all functions.

use std::fmt::Display;
use std::io::{self, BufRead, Write};

use std::sync::Arc;
use std::time::Duration;

use chrono::Local;
use socketserver::Transport;
use socketserver::prelude::{
    Result, Server, ServerGroup, Service, Strategy, TcpRequest, ThreadingTcpServer, UdpRequest,
    UdpServer,
};

/// Returns the address on a server's command line, or `default`.
pub(crate) fn address(default: &str) -> String {
    std::env::args().nth(1).unwrap_or_else(|| default.into())
}

/// Splits a client's command line into the server's address and the other arguments. The first
/// argument is the address if it has a colon. Otherwise the address is `default`.
pub(crate) fn address_and_words(default: &str) -> (String, Vec<String>) {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let address = match words.first() {
        Some(first) if first.contains(':') => words.remove(0),
        _ => default.into(),
    };
    (address, words)
}

/// Returns the messages that a client sends: its `words`. Without words, the messages are the lines of
/// standard input.
pub(crate) fn messages(words: Vec<String>) -> Box<dyn Iterator<Item = io::Result<Vec<u8>>>> {
    if words.is_empty() {
        Box::new(io::stdin().lock().split(b'\n'))
    } else {
        Box::new(words.into_iter().map(|word| Ok(word.into_bytes())))
    }
}

/// Prints the server's address if port 0 was asked for, because the kernel picks the port then.
pub(crate) fn announce(asked: &str, server_address: impl Display) {
    if asked.ends_with(":0") {
        println!("listening on {server_address}");
    }
}

/// Prints the server's address, and serves until Ctrl-C.
pub(crate) fn serve_until_ctrl_c<T, S, M>(server: &Server<T, S, M>) -> Result
where
    T: Transport,
    S: Service<T::Request>,
    M: Strategy,
{
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    Ok(server.serve_forever()?)
}

/// A TCP and a UDP server with one port number and one service.
pub(crate) type BothServers<S> = (ThreadingTcpServer<Arc<S>>, UdpServer<Arc<S>>);

/// Binds a TCP and a UDP server to `address`. A TCP client may be silent for `timeout`.
pub(crate) fn bind_both<S>(address: &str, timeout: Duration, service: S) -> Result<BothServers<S>>
where
    S: Service<TcpRequest> + Service<UdpRequest>,
{
    let service = Arc::new(service);
    let mut attempts = if address.ends_with(":0") { 20 } else { 1 };
    loop {
        let tcp = ThreadingTcpServer::options()
            .timeout(timeout)
            .max_connections(200)
            .bind(address, Arc::clone(&service))?;
        attempts -= 1;
        match UdpServer::bind(tcp.server_address(), Arc::clone(&service)) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(_) if attempts > 0 => {} // A free port of TCP is taken for UDP. Tries another port.
            Err(error) => return Err(error.into()),
        }
    }
}

/// Serves TCP and UDP until Ctrl-C.
pub(crate) fn serve_both<S>((tcp, udp): BothServers<S>) -> Result
where
    S: Service<TcpRequest> + Service<UdpRequest>,
{
    let address = *tcp.server_address();
    let group = ServerGroup::new().add(tcp).add(udp);
    group.shutdown_on_ctrl_c()?;
    println!("listening on {address}");
    Ok(group.serve_forever()?)
}

/// Raises the limit of open descriptors from the usual 1024 to the highest number that this process
/// may have. Returns the new limit.
#[cfg(unix)]
pub(crate) fn allow_many_sockets() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // The limit stays as it was if this fails.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Returns the largest number, because Windows has no such limit.
#[cfg(windows)]
pub(crate) fn allow_many_sockets() -> u64 {
    u64::MAX
}

/// Prints `prompt` and reads one line. Returns it without its line end. The result is empty at the end
/// of the input.
pub(crate) fn ask(prompt: &str) -> io::Result<Vec<u8>> {
    print!("{prompt}");
    io::stdout().flush()?;
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
    }
    Ok(line)
}

/// Returns the data and the time: `[data] Mon Dec  9 17:06:41 2019`.
pub(crate) fn with_ctime(data: &[u8]) -> Vec<u8> {
    [b"[", data, b"] ", ctime().as_bytes()].concat()
}

/// Formats the local time as Python's `time.ctime()` does.
pub(crate) fn ctime() -> String {
    Local::now().format("%a %b %e %H:%M:%S %Y").to_string()
}

/// Formats bytes as Python prints them: `b'it is \xc3\xa9\n'`.
pub(crate) fn repr(data: &[u8]) -> String {
    let quote = match data.contains(&b'\'') && !data.contains(&b'"') {
        true => '"',
        false => '\'',
    };
    let mut text = format!("b{quote}");
    for &byte in data {
        match byte {
            b'\t' => text += "\\t",
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\\' => text += "\\\\",
            b'\'' if quote == '\'' => text += "\\'",
            b' '..=b'~' => text.push(byte.into()),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    text.push(quote);
    text
}
