//! Streams: bytes that arrive in pieces, now and then in the middle of a call.

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

/// What a client sends, and how its handler reads.
#[derive(Clone, Debug)]
struct Conversation {
    /// The lengths of the lines, of which the last has no end.
    lines: Vec<usize>,
    /// The sizes of the pieces that are sent, over and over.
    pieces: Vec<usize>,
    steps: Vec<Step>,
}

/// One call of the handler's.
#[derive(Clone, Debug)]
struct Step {
    /// So many pieces have arrived before it. Those that it still needs come while it waits.
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

    /// Where each piece ends; the last is the rest.
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

/// Sends a client's pieces when the handler says so.
struct Pump {
    /// Where the pieces end; one byte more than all is the end of the stream.
    ends: Vec<usize>,
    /// How many of them were let go.
    released: usize,
    /// How many of these may not have been sent yet.
    on_their_way: usize,
    release: Sender<usize>,
    sent: Receiver<()>,
}

impl Pump {
    /// As much may always be sent without waiting for a reader.
    const ROOM: usize = 32 * 1024;
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
                    return; // the handler has given up
                }
                position = end;
                let _ = done.send(());
            }
        });
        Self {
            ends,
            released: 0,
            on_their_way: 0,
            release,
            sent,
        }
    }

    /// How much may have arrived.
    fn sent(&self) -> usize {
        self.released
            .checked_sub(1)
            .map_or(0, |last| self.ends[last])
    }

    fn release_one(&mut self) {
        let _ = self.release.send(self.ends[self.released]);
        self.released += 1;
        self.on_their_way += 1;
    }

    /// Sends some pieces, if there is room for them, and returns when they have arrived.
    fn ahead(&mut self, pieces: usize, read: usize) -> Outcome {
        for _ in 0..pieces {
            let unread = self.ends[..self.released].iter().filter(|&&end| end > read);
            let Some(next) = self.ends.get(self.released) else {
                break;
            };
            if next - read > Self::ROOM || unread.count() > Self::PIECES {
                break;
            }
            self.release_one();
        }
        if self.sent().saturating_sub(read) <= Self::ROOM {
            for _ in 0..std::mem::take(&mut self.on_their_way) {
                let sent = self.sent.recv_timeout(PATIENCE);
                sent.map_err(|_| "a piece was not sent".to_owned())?;
            }
        }
        Ok(())
    }

    /// Lets go what a call will wait for; it comes meanwhile.
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
                "after {:?}, there is more than was sent",
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
        return Err(format!("at the end, other bytes are left: {}", rest.len()));
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
    // Locked until there is a pump: the handler waits for it.
    let mut place = pump.lock().unwrap();
    *place = Some(Pump::start(host.client(), data, ends));
    drop(place);
    next(&outcomes)
}

fn whatever_is_sent_is_read_once<T: Connected, M: socketserver::Strategy + Default>() {
    play_many(&conversations(), play::<T, M>);
}

over_streams_by_strategy!(whatever_is_sent_is_read_once);
