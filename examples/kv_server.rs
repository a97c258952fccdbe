//! A key-value store in memory that speaks the protocol of Redis (RESP2).
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --release --example kv_server
//! listening on 127.0.0.1:6380
//! ```
//!
//! Start clients in other terminals:
//!
//! ```text
//! $ redis-cli -p 6380 SET greeting hello
//! OK
//! $ redis-cli -p 6380 GET greeting
//! "hello"
//! $ redis-benchmark -p 6380 -t get,set -P 16 -q
//! ```
//!
//! Ctrl-C stops the server at once, although clients stay connected, because the handler waits in
//! `wait_for_message` between two commands. An argument replaces the address `localhost:6380`.

mod common;

use std::collections::HashMap;
use std::io::{self, ErrorKind::InvalidData};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::{address, serve_until_ctrl_c};
use socketserver::prelude::*;

/// Limits of one command: number of arguments, and bytes of all arguments.
const MAX_ARGUMENTS: usize = 1024;
const MAX_COMMAND: usize = 16 * 1024;
/// Limit of the store. With the limit of a command, it bounds the memory to 1 GiB.
const MAX_KEYS: usize = 64 * 1024;
/// Answers of pipelined commands are collected up to this size, and sent together.
const MAX_ANSWERS: usize = 64 * 1024;

#[derive(Default)]
pub(crate) struct Store(Mutex<HashMap<Vec<u8>, Vec<u8>>>);

impl Store {
    /// Runs a command and returns its answer, or the text of an error.
    fn run(&self, command: &[Vec<u8>]) -> std::result::Result<Vec<u8>, String> {
        // Locked for one command, and never while an answer is sent.
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((name, arguments)) = command.split_first() else {
            return Ok(Vec::new()); // Redis ignores empty commands too
        };
        let name = name.to_ascii_uppercase();
        let number = |number: i64| format!(":{number}\r\n").into_bytes();
        if let (b"SET" | b"INCR", [key, ..]) = (&*name, arguments)
            && values.len() >= MAX_KEYS
            && !values.contains_key(key)
        {
            return Err("OOM the store is full".into());
        }
        Ok(match (&*name, arguments) {
            (b"PING", []) => b"+PONG\r\n".to_vec(),
            (b"PING" | b"ECHO", [text]) => bulk(text),
            (b"GET", [key]) => values
                .get(key)
                .map_or(b"$-1\r\n".to_vec(), |value| bulk(value)),
            (b"SET", [key, value]) => {
                values.insert(key.clone(), value.clone());
                b"+OK\r\n".to_vec()
            }
            (b"INCR", [key]) => {
                let value = values.get(key).map_or(b"0".as_slice(), Vec::as_slice);
                let next = parse(value).and_then(|value: i64| value.checked_add(1));
                let next = next.ok_or("ERR value is not an integer or out of range")?;
                values.insert(key.clone(), next.to_string().into_bytes());
                number(next)
            }
            (b"DEL", [_, ..]) => {
                let removed = arguments.iter().filter_map(|key| values.remove(key));
                number(removed.count() as i64)
            }
            (b"EXISTS", [_, ..]) => {
                let found = arguments.iter().filter(|&key| values.contains_key(key));
                number(found.count() as i64)
            }
            (b"COMMAND", _) => b"*0\r\n".to_vec(),
            _ => return Err("ERR unknown command or wrong number of arguments".into()),
        })
    }
}

/// Formats a string of any bytes.
fn bulk(data: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

fn parse<N: FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.trim_end().parse().ok()
}

/// Reads `*2`, then `$3`, `GET`, `$1`, `k`, or one line of words: `GET k`.
fn read_command(request: &mut TcpRequest) -> io::Result<Vec<Vec<u8>>> {
    let invalid = |text| io::Error::new(InvalidData, text);
    let line = request.next_line(MAX_COMMAND)?.unwrap_or_default();
    let Some(count) = line.strip_prefix(b"*") else {
        let words = line.split(u8::is_ascii_whitespace);
        let words = words.filter(|word| !word.is_empty());
        return Ok(words.map(<[u8]>::to_vec).collect());
    };
    let count = parse(count).filter(|&count: &usize| count <= MAX_ARGUMENTS);
    let (mut command, mut left) = (Vec::new(), MAX_COMMAND);
    for _ in 0..count.ok_or_else(|| invalid("invalid number of arguments"))? {
        let line = request.expect_line(64)?;
        let length = line
            .strip_prefix(b"$")
            .and_then(parse)
            .filter(|&length| length <= left);
        let length = length.ok_or_else(|| invalid("invalid or too long argument"))?;
        left -= length;
        command.push(request.read_exactly(length)?);
        if request.read_bytes()? != *b"\r\n" {
            return Err(invalid("missing line end after an argument"));
        }
    }
    Ok(command)
}

/// Serves one client. The store is the state that all clients share.
pub(crate) fn serve(store: &Store, request: &mut TcpRequest) -> Result {
    let mut answers = Vec::new();
    while request.wait_for_message()? {
        let command = match read_command(request) {
            Ok(command) => command,
            Err(error) if error.kind() == InvalidData => {
                write!(answers, "-ERR Protocol error: {error}\r\n")?;
                return Ok(request.send_all(answers)?);
            }
            Err(error) => return Err(error.into()),
        };
        match store.run(&command) {
            Ok(answer) => answers.extend(answer),
            Err(error) => write!(answers, "-{error}\r\n")?,
        }
        if request.buffer().is_empty() || answers.len() >= MAX_ANSWERS {
            request.send_all(&answers)?;
            answers.clear();
        }
    }
    Ok(())
}

fn main() -> Result {
    let server = ThreadingTcpServer::options()
        .timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(3600))
        .max_connections(1000)
        .bind(
            address("localhost:6380"),
            handler_fn_with(Store::default(), serve),
        )?;
    serve_until_ctrl_c(&server)
}
