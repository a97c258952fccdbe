//! The calls by which a handler reads, and a model of their results.

use std::io::{self, ErrorKind};

use proptest::prelude::*;
use socketserver::Request;

use super::{Outcome, sizes};

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Recv(usize),
    Read(usize),
    /// `fill_buf`, then `consume` of at most this many bytes.
    FillBuf(usize),
    Readline(usize),
    NextLine(usize),
    ReadExactly(usize),
    ReadBytes,
}

/// Number of bytes that `ReadBytes` reads.
const ARRAY: usize = 7;

pub(crate) fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        sizes().prop_map(Call::Recv),
        sizes().prop_map(Call::Read),
        sizes().prop_map(Call::FillBuf),
        sizes().prop_map(Call::Readline),
        sizes().prop_map(Call::NextLine),
        sizes().prop_map(Call::ReadExactly),
        Just(Call::ReadBytes),
    ]
}

/// All bytes that the client sends in a conversation, and how many of them were read.
pub(crate) struct Model<'a> {
    data: &'a [u8],
    position: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The bytes arrive one after the other. A call returns some of those that have arrived.
    Stream,
    /// All bytes are available from the start.
    Datagram,
}

impl<'a> Model<'a> {
    pub(crate) fn new(data: &'a [u8], kind: Kind) -> Self {
        let position = 0;
        Self {
            data,
            position,
            kind,
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.data[self.position..]
    }

    /// Number of bytes that must be sent so that this call returns. One more than all bytes stands for the
    /// end of the stream.
    pub(crate) fn needs(&self, call: &Call) -> usize {
        let wanted = match *call {
            Call::Recv(0) | Call::Read(0) | Call::Readline(0) => 0,
            Call::Recv(_) | Call::Read(_) | Call::FillBuf(_) => 1,
            Call::Readline(limit) if self.line(limit).len() == limit => limit,
            // The next byte, or the end, decides whether the line is too long.
            Call::NextLine(limit) if self.reaches_limit(limit) => limit + 1,
            Call::Readline(limit) | Call::NextLine(limit) => {
                let line = self.line(limit);
                line.len() + usize::from(!line.ends_with(b"\n"))
            }
            Call::ReadExactly(size) => size,
            Call::ReadBytes => ARRAY,
        };
        self.position + wanted.min(self.rest().len() + 1)
    }

    fn line(&self, limit: usize) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|&byte| byte == b'\n');
        &rest[..end.map_or(rest.len(), |end| end + 1).min(limit)]
    }

    /// Returns whether the first `limit` bytes of the next line are there without a line end.
    fn reaches_limit(&self, limit: usize) -> bool {
        let line = self.line(limit);
        line.len() == limit && !line.ends_with(b"\n")
    }

    /// Makes the call and compares its result with the model.
    pub(crate) fn check(&mut self, call: &Call, request: &mut impl Request) -> Outcome {
        let checked = match *call {
            Call::Recv(size) => self.some(request.recv(size), size),
            Call::Read(size) => {
                let mut buffer = vec![0; size];
                let read = request.read(&mut buffer);
                self.some(read.map(|read| buffer[..read].to_vec()), size)
            }
            Call::FillBuf(size) => self.fill_buf(request, size),
            Call::Readline(limit) => self.readline(request.readline(limit), limit),
            Call::NextLine(limit) => self.next_line(request.next_line(limit), limit),
            Call::ReadExactly(size) => self.exactly(request.read_exactly(size), size),
            Call::ReadBytes => {
                let array = request.read_bytes::<ARRAY>();
                self.exactly(array.map(Vec::from), ARRAY)
            }
        };
        checked.map_err(|problem| format!("{call:?} at {}: {problem}", self.position))
    }

    /// Checks a call that reads the available bytes, at most `size`.
    fn some(&mut self, got: io::Result<Vec<u8>>, size: usize) -> Outcome {
        let got = got.map_err(|error| error.to_string())?;
        self.is_some(&got, size)?;
        self.position += got.len();
        Ok(())
    }

    fn is_some(&self, got: &[u8], size: usize) -> Outcome {
        let most = self.rest().len().min(size);
        let least = match self.kind {
            Kind::Stream => most.min(1),
            Kind::Datagram => most,
        };
        if !(least..=most).contains(&got.len()) {
            return Err(format!("{} bytes, not {least} to {most}", got.len()));
        }
        self.comes_next(got)
    }

    fn comes_next(&self, got: &[u8]) -> Outcome {
        if self.rest().starts_with(got) {
            return Ok(());
        }
        let same = self.rest().iter().zip(got).take_while(|(a, b)| a == b);
        Err(format!(
            "not the bytes that were sent, from index {} on",
            same.count()
        ))
    }

    fn fill_buf(&mut self, request: &mut impl Request, size: usize) -> Outcome {
        let available = request.fill_buf().map_err(|error| error.to_string())?;
        self.is_some(available, usize::MAX)?;
        let size = available.len().min(size);
        request.consume(size);
        self.position += size;
        Ok(())
    }

    fn readline(&mut self, got: io::Result<Vec<u8>>, limit: usize) -> Outcome {
        let line = self.line(limit);
        self.position += line.len();
        expect(&got, Ok(line))
    }

    fn next_line(&mut self, got: io::Result<Option<Vec<u8>>>, limit: usize) -> Outcome {
        let reaches_limit = self.reaches_limit(limit);
        let line = self.line(limit);
        self.position += line.len();
        if reaches_limit && !self.rest().is_empty() {
            return expect(&got, Err(ErrorKind::InvalidData));
        }
        let got = got.map(Option::unwrap_or_default);
        expect(&got, Ok(line))
    }

    fn exactly(&mut self, got: io::Result<Vec<u8>>, size: usize) -> Outcome {
        let rest = self.rest();
        if size <= rest.len() {
            self.position += size;
            return expect(&got, Ok(&rest[..size]));
        }
        // A stream that ends too early is read to its end. A packet that is too short stays unread.
        if self.kind == Kind::Stream {
            self.position = self.data.len();
        }
        expect(&got, Err(ErrorKind::UnexpectedEof))
    }
}

fn expect<G: AsBytes>(got: &io::Result<G>, expected: Result<&[u8], ErrorKind>) -> Outcome {
    match (got, expected) {
        (Ok(got), Ok(expected)) if got.bytes() == expected => Ok(()),
        (Err(error), Err(kind)) if error.kind() == kind => Ok(()),
        (Ok(got), Ok(expected)) => {
            let same = got.bytes().iter().zip(expected).take_while(|(a, b)| a == b);
            let (got, expected) = (got.bytes().len(), expected.len());
            let same = same.count();
            Err(format!(
                "{got} bytes instead of {expected}, of which the first {same} are right"
            ))
        }
        (Ok(got), Err(kind)) => Err(format!("{} bytes, not {kind:?}", got.bytes().len())),
        (Err(error), Ok(expected)) => Err(format!("{error}, not {} bytes", expected.len())),
        (Err(error), Err(kind)) => Err(format!("{error}, not {kind:?}")),
    }
}

/// Result types of the calls.
trait AsBytes {
    fn bytes(&self) -> &[u8];
}

impl AsBytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl AsBytes for Option<Vec<u8>> {
    fn bytes(&self) -> &[u8] {
        self.as_deref().unwrap_or_default()
    }
}
