//! A name server with a small table, over UDP and TCP. One handler type answers both.
//!
//! Start the server in one terminal:
//!
//! ```text
//! $ cargo run --example dns_server
//! listening on 127.0.0.1:5353
//! ```
//!
//! Ask it in another terminal:
//!
//! ```text
//! $ dig @127.0.0.1 -p 5353 +short www.example.test A
//! 192.0.2.80
//! 192.0.2.81
//! $ dig @127.0.0.1 -p 5353 +short +tcp example.test TXT
//! "a small zone"
//! $ dig @127.0.0.1 -p 5353 nonsense.example.test
//! ```
//!
//! The last answer has `status: NXDOMAIN`. The texts of `long.example.test` do not fit into a datagram, so
//! `dig` asks again by TCP. Ctrl-C stops the server. An argument replaces the address `127.0.0.1:5353`.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{address, bind_both, serve_both};
use socketserver::prelude::*;

/// Largest message over UDP, without extensions of the protocol.
const MAX_DATAGRAM: usize = 512;
const FORMAT_ERROR: u8 = 1;
const NO_SUCH_NAME: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;

struct Record {
    name: Vec<u8>,
    kind: u16,
    data: Vec<u8>,
}

impl Record {
    fn new(name: &str, kind: u16, data: Vec<u8>) -> Self {
        let labels = name
            .split('.')
            .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
        let name = labels.chain([0]).collect();
        Self { name, kind, data }
    }

    fn a(name: &str, address: [u8; 4]) -> Self {
        Self::new(name, 1, address.into())
    }

    fn txt(name: &str, text: &str) -> Self {
        let pieces = text.as_bytes().chunks(255);
        let data = pieces.flat_map(|piece| [&[piece.len() as u8], piece].concat());
        Self::new(name, 16, data.collect())
    }
}

/// Returns the length of a name: labels with their lengths before them, as `3www7example4test0`.
fn name_length(message: &[u8]) -> Option<usize> {
    let mut length = 0;
    loop {
        match *message.get(length)? {
            _ if length >= 255 => return None,
            0 => return Some(length + 1),
            label @ 1..64 => length += 1 + usize::from(label),
            64.. => return None, // a reference to another name
        }
    }
}

pub(crate) struct Zone(Vec<Record>);

impl Zone {
    /// Answers a query in at most `limit` bytes. Empty for what is no query, because an answer to an answer
    /// could go on forever.
    fn answer(&self, query: &[u8], limit: usize) -> Vec<u8> {
        let Some((&[id0, id1, flags, _, count0, count1, ..], rest)) =
            query.split_first_chunk::<12>()
        else {
            return Vec::new();
        };
        if flags & 0x80 != 0 {
            return Vec::new();
        }
        let question = name_length(rest).and_then(|name| rest.split_at_checked(name));
        let question = question.and_then(|(name, rest)| Some((name, rest.first_chunk::<4>()?)));
        let (mut count, mut body) = (0, Vec::new());
        let code = match question {
            _ if flags & 0x78 != 0 => NOT_IMPLEMENTED,
            Some((name, kind_and_class)) if [count0, count1] == [0, 1] => {
                body = [name, kind_and_class].concat();
                let is_asked = |record: &&Record| record.name.eq_ignore_ascii_case(name);
                let records: Vec<_> = self.0.iter().filter(is_asked).collect();
                let is_unknown = records.is_empty();
                for Record { kind, data, .. } in records {
                    let kind = [kind.to_be_bytes(), [0, 1]].concat();
                    if kind == kind_and_class {
                        // The name is a reference to the question. Resolvers may keep the record for 60 s.
                        let length = (data.len() as u16).to_be_bytes();
                        body.extend([&[0xc0, 12], &*kind, &[0, 0, 0, 60], &length, data].concat());
                        count += 1;
                    }
                }
                if is_unknown { NO_SUCH_NAME } else { 0 }
            }
            _ => FORMAT_ERROR,
        };
        let mut flags = 0x84 | flags & 0x79; // an answer, with authority; operation and recursion as asked for
        let questions = !body.is_empty() as u8;
        if 12 + body.len() > limit {
            flags |= 0x02; // truncated: the client asks again by TCP
            count = 0;
            body.truncate(name_length(rest).map_or(0, |name| name + 4));
        }
        let header = [id0, id1, flags, code, 0, questions, 0, count, 0, 0, 0, 0];
        [&header, &*body].concat()
    }
}

/// Handler of both transports.
pub(crate) struct Answer(pub(crate) Arc<Zone>);

impl RequestHandler<UdpRequest> for Answer {
    fn handle(&mut self, request: &mut UdpRequest) -> Result {
        let answer = self.0.answer(request.packet(), MAX_DATAGRAM);
        Ok(request.send_all(answer)?) // an empty answer is not sent
    }
}

impl RequestHandler<TcpRequest> for Answer {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while request.wait_for_message()? {
            let length = u16::from_be_bytes(request.read_bytes()?);
            let query = request.read_exactly(length.into())?;
            let answer = self.0.answer(&query, u16::MAX.into());
            let length = answer.len() as u16;
            request.send_all([&length.to_be_bytes(), &*answer].concat())?;
        }
        Ok(())
    }
}

pub(crate) fn zone() -> Zone {
    Zone(vec![
        Record::a("example.test", [192, 0, 2, 1]),
        Record::txt("example.test", "a small zone"),
        Record::a("www.example.test", [192, 0, 2, 80]),
        Record::a("www.example.test", [192, 0, 2, 81]),
        Record::txt("long.example.test", &"too long for a datagram ".repeat(30)),
    ])
}

fn main() -> Result {
    let timeout = Duration::from_secs(5);
    let zone = Arc::new(zone());
    let handler = move || Answer(Arc::clone(&zone));
    serve_both(bind_both(&address("127.0.0.1:5353"), timeout, handler)?)
}
