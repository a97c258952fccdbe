//! Streams: bytes that arrive in pieces, before or during a call.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use socketserver::StreamRequest;
use socketserver::request::StreamSocket;

use super::{Outcome, noise, play_many, sizes};
use crate::reading::calls::{Call, Kind, Model, any_call};
use crate::support::net::*;

/// The bytes that a client sends, and the calls by which its handler reads.
#[derive(Clone, Debug)]
struct Conversation {
    /// Lengths of the lines. The last line has no line end.
    lines: Vec<usize>,
    /// Sizes of the pieces that are sent, repeated as often as needed.
    pieces: Vec<usize>,
    steps: Vec<Step>,
}

/// One call of the handler.
#[derive(Clone, Debug)]
struct Step {
    /// Number of pieces that are sent before the call, if the buffers have space. The pieces that the call
    /// still needs are sent while it waits.
    before: usize,
    call: Call,
}

fn conversations() -> impl Strategy<Value = Conversation> {
    let step = (0..4_usize, any_call()).prop_map(|(before, call)| Step { before, call });
    let pieces = vec(sizes().prop_map(|size| size + 1), 1..8);
    (vec(sizes(), 1..12), pieces, vec(step, 0..30)).prop_map(|(lines, pieces, steps)| {
        Conversation {
            lines,
            pieces,
            steps,
        }
    })
}

impl Conversation {
    fn data(&self) -> Vec<u8> {
        let lines: Vec<Vec<u8>> = self
            .lines
            .iter()
            .enumerate()
            .map(|(seed, &size)| noise(seed, size).collect())
            .collect();
        lines.join(&b'\n')
    }

    /// The end of each piece. The last piece is the rest.
    fn ends(&self, total: usize) -> Vec<usize> {
        const MOST: usize = 300;

        let mut ends = Vec::new();
        let mut end = 0;
        for size in self.pieces.iter().cycle().take(MOST) {
            end += size;
            if end >= total {
                break;
            }
            ends.push(end);
        }
        ends.push(total);
        ends
    }
}

/// Sends the pieces of a client when the handler requests them.
struct Pump {
    /// The end of each piece. One more than all bytes stands for the end of the stream.
    ends: Vec<usize>,
    /// Number of pieces whose sending was requested.
    released: usize,
    /// Number of released pieces that may not have been sent yet.
    unconfirmed: usize,
    release: Sender<usize>,
    sent: Receiver<()>,
}

impl Pump {
    /// Number of unread bytes that the socket buffers hold in any case.
    const CAPACITY: usize = 32 * 1024;
    /// Number of unread pieces that the socket buffers hold in any case.
    const PIECES: usize = 64;

    fn start(client: Client, data: Vec<u8>, mut ends: Vec<usize>) -> Self {
        ends.push(data.len() + 1);
        let (release, released) = channel::<usize>();
        let (done, sent) = channel();
        thread::spawn(move || {
            let mut position = 0;
            for end in released {
                if end > data.len() {
                    client.finish();
                } else if client.try_send(&data[position..end]).is_err() {
                    return; // the handler has ended early
                }
                position = end;
                let _ = done.send(());
            }
        });
        Self {
            ends,
            released: 0,
            unconfirmed: 0,
            release,
            sent,
        }
    }

    /// Number of bytes that may have arrived.
    fn sent(&self) -> usize {
        self.released
            .checked_sub(1)
            .map_or(0, |last| self.ends[last])
    }

    fn release_one(&mut self) {
        let _ = self.release.send(self.ends[self.released]);
        self.released += 1;
        self.unconfirmed += 1;
    }

    /// Sends some pieces, if the buffers have space, and waits until they are sent.
    fn ahead(&mut self, pieces: usize, read: usize) -> Outcome {
        for _ in 0..pieces {
            let unread = self.ends[..self.released].iter().filter(|&&end| end > read);
            let Some(next) = self.ends.get(self.released) else {
                break;
            };
            if next - read > Self::CAPACITY || unread.count() > Self::PIECES {
                break;
            }
            self.release_one();
        }
        if self.sent().saturating_sub(read) <= Self::CAPACITY {
            for _ in 0..std::mem::take(&mut self.unconfirmed) {
                let sent = self.sent.recv_timeout(PATIENCE);
                sent.map_err(|_| "a piece was not sent".to_owned())?;
            }
        }
        Ok(())
    }

    /// Requests the pieces that a call will wait for. They arrive during the call.
    fn meanwhile(&mut self, needs: usize) {
        while self.sent() < needs {
            self.release_one();
        }
    }
}

/// The handler.
fn read<S: StreamSocket>(
    request: &mut StreamRequest<S>,
    data: &[u8],
    steps: &[Step],
    mut pump: Pump,
) -> Outcome {
    use std::io::Read;

    let mut model = Model::new(data, Kind::Stream);
    for step in steps {
        pump.ahead(step.before, model.position())?;
        pump.meanwhile(model.needs(&step.call));
        model.check(&step.call, request)?;
        if !model.rest().starts_with(request.buffer()) {
            return Err(format!("after {:?}, other bytes are buffered", step.call));
        }
        if model.position() + request.buffer().len() > pump.sent() {
            return Err(format!(
                "after {:?}, more bytes were read than sent",
                step.call
            ));
        }
    }
    pump.meanwhile(data.len() + 1);
    let mut rest = Vec::new();
    request
        .read_to_end(&mut rest)
        .map_err(|error| error.to_string())?;
    if rest != model.rest() {
        return Err(format!(
            "at the end, the last {} bytes are wrong",
            rest.len()
        ));
    }
    Ok(())
}

fn play<T: Connected, M: socketserver::Strategy + Default>(conversation: &Conversation) -> Outcome {
    let data = conversation.data();
    let ends = conversation.ends(data.len());
    let steps = conversation.steps.clone();
    let sent = data.clone();
    let pump = Arc::new(Mutex::new(None::<Pump>));
    let (outcome, outcomes) = channel();
    let handle = {
        let pump = Arc::clone(&pump);
        move |request: &mut T::Request| {
            let pump = pump.lock().unwrap().take().expect("one client");
            let _ = outcome.send(read(request, &sent, &steps, pump));
            Ok(())
        }
    };
    let host = host_with::<T, M, _, _>(
        Hooks::new(handle),
        |options| options.timeout(PATIENCE),
        |server| server,
    );
    // The handler waits for the lock, which is released when the pump is there.
    let mut slot = pump.lock().unwrap();
    *slot = Some(Pump::start(host.client(), data, ends));
    drop(slot);
    next(&outcomes)
}

fn every_byte_is_read_exactly_once<T: Connected, M: socketserver::Strategy + Default>() {
    play_many(&conversations(), play::<T, M>);
}

over_streams_by_strategy!(every_byte_is_read_exactly_once);
