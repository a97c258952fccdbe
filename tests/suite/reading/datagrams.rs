//! Datagrams: each is read by itself, however many wait, and is answered by one, or none.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};

use proptest::collection::vec;
use proptest::prelude::*;
use socketserver::request::DatagramSocket;
use socketserver::transport::{Datagram, Udp, UnixDatagram};
use socketserver::{DatagramRequest, Request, Sequential};

use super::{Outcome, noise, play_many, sizes};
use crate::reading::calls::{Call, Kind, Model, any_call};
use crate::support::net::*;

/// The transports with datagrams.
trait Packets: Reachable<Request = DatagramRequest<Self::Socket>> + Datagram {
    type Socket: DatagramSocket<Address = Self::Address>;
    /// The longest that it carries, of those that are tried.
    const LONGEST: usize;
    /// How many may wait to be received, whatever their size.
    const WAITING: usize;
}

impl Packets for Udp {
    type Socket = std::net::UdpSocket;
    const LONGEST: usize = 65_507;
    const WAITING: usize = 32;
}

impl Packets for UnixDatagram {
    type Socket = std::os::unix::net::UnixDatagram;
    const LONGEST: usize = 65_535;
    const WAITING: usize = 8;
}

/// What a client sends, one after the other.
#[derive(Clone, Debug)]
struct Conversation {
    max_packet_size: Option<usize>,
    messages: Vec<Message>,
}

/// A datagram, how it is read, and how it is answered.
#[derive(Clone, Debug)]
struct Message {
    size: Size,
    calls: Vec<Call>,
    /// What is written, piece by piece.
    reply: Vec<usize>,
    fails: bool,
}

#[derive(Clone, Copy, Debug)]
enum Size {
    Any(usize),
    /// The largest that arrives whole, and as many bytes more, less one.
    AroundMax(usize),
}

fn conversations() -> impl Strategy<Value = Conversation> {
    let size = prop_oneof![
        3 => sizes().prop_map(Size::Any),
        1 => (0..3_usize).prop_map(Size::AroundMax),
    ];
    let reply = vec(prop_oneof![0..100_usize, 0..9_000_usize], 0..4);
    let message = (
        size,
        vec(any_call(), 0..8),
        reply,
        prop::bool::weighted(0.1),
    );
    let message = message.prop_map(|(size, calls, reply, fails)| Message {
        size,
        calls,
        reply,
        fails,
    });
    let max_packet_size = prop::option::of(sizes().prop_map(|size| size.clamp(1, 65_535)));
    (max_packet_size, vec(message, 1..24)).prop_map(|(max_packet_size, messages)| Conversation {
        max_packet_size,
        messages,
    })
}

/// A message that is on its way to the handler.
struct Expected {
    data: Vec<u8>,
    truncated: bool,
    message: Message,
    /// Holds up the first of a burst until all of it waits.
    gate: Gate,
}

impl Message {
    /// What is sent, without regard to a limit.
    fn data(&self, seed: usize, max: usize, longest: usize) -> Vec<u8> {
        let size = match self.size {
            Size::Any(size) => size,
            Size::AroundMax(more) => max + more - 1,
        };
        // Lines, so that there is something to be found.
        let bytes = noise(seed, size.min(longest)).enumerate();
        bytes
            .map(|(at, byte)| if at % 50 == 49 { b'\n' } else { byte })
            .collect()
    }

    /// The pieces of the reply.
    fn reply(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let pieces = self.reply.iter().enumerate();
        pieces.map(|(seed, &size)| noise(seed + 100, size).collect())
    }

    /// What the client gets, if it gets something.
    fn answer(&self) -> Option<Vec<u8>> {
        let answer = self.reply().collect::<Vec<_>>().concat();
        (!answer.is_empty() && !self.fails).then_some(answer)
    }
}

/// The handler.
fn read<S: DatagramSocket>(request: &mut DatagramRequest<S>, expected: &Expected) -> Outcome {
    let Expected { data, message, .. } = expected;
    let is_right = |request: &DatagramRequest<S>| {
        request.packet() == data && request.truncated() == expected.truncated
    };
    if !is_right(request) {
        let (size, cut) = (request.packet().len(), request.truncated());
        return Err(format!("{size} bytes, cut: {cut}, for {message:?}"));
    }
    let mut model = Model::new(data, Kind::Datagram);
    let mut reply = message.reply();
    for call in &message.calls {
        model.check(call, request)?;
        // What is written has nothing to do with what is read.
        if let Some(piece) = reply.next() {
            request.send_all(piece).map_err(|error| error.to_string())?;
        }
    }
    for piece in reply {
        request.send_all(piece).map_err(|error| error.to_string())?;
    }
    if !is_right(request) {
        return Err("the packet has changed".to_owned());
    }
    Ok(())
}

/// Cuts a conversation into bursts that the sockets on both sides have room for.
fn bursts(
    messages: &[(Vec<u8>, Message)],
    most: usize,
) -> impl Iterator<Item = &[(Vec<u8>, Message)]> {
    const ROOM: usize = 40_000;

    let mut rest = messages;
    std::iter::from_fn(move || {
        let (mut there, mut back) = (0, 0);
        let fits = rest.iter().take(most).take_while(|(data, message)| {
            there += data.len();
            back += message.reply.iter().sum::<usize>();
            there <= ROOM && back <= ROOM
        });
        let size = fits.count().max(1);
        let burst;
        (burst, rest) = rest.split_at_checked(size)?;
        Some(burst)
    })
}

fn play<T: Packets, M: socketserver::Strategy + Default>(conversation: &Conversation) -> Outcome {
    let expected = Arc::new(Mutex::new(VecDeque::<Expected>::new()));
    let (outcome, outcomes) = mpsc::channel();
    let handle = {
        let expected = Arc::clone(&expected);
        move |request: &mut T::Request| {
            let expected = expected.lock().unwrap().pop_front().expect("a message");
            expected.gate.pass();
            let _ = outcome.send(read(request, &expected));
            match expected.message.fails {
                true => Err("as planned".into()),
                false => Ok(()),
            }
        }
    };
    let host = host_with::<T, M, _, _>(
        Hooks::new(handle),
        |options| match conversation.max_packet_size {
            Some(size) => options.max_packet_size(size),
            None => options,
        },
        |server| server,
    );
    let client = host.client();

    let max = conversation.max_packet_size.unwrap_or(65_535);
    let number = conversation.messages.iter().cloned().enumerate();
    let mut messages: Vec<_> = number
        .map(|(seed, message)| (message.data(seed, max, T::LONGEST), message))
        .collect();
    // One more, which is answered: nothing else may come before its answer.
    let last = Message {
        size: Size::Any(1),
        calls: Vec::new(),
        reply: vec![4],
        fails: false,
    };
    messages.push((last.data(0, max, 1), last));

    // Only one after the other are they handled in the order in which they are sent.
    let in_order = TypeId::of::<M>() == TypeId::of::<Sequential>();
    for burst in bursts(&messages, if in_order { T::WAITING } else { 1 }) {
        let gate = Gate::default();
        expected
            .lock()
            .unwrap()
            .extend(burst.iter().map(|(data, message)| Expected {
                data: data[..data.len().min(max)].to_vec(),
                truncated: data.len() > max,
                message: message.clone(),
                gate: gate.clone(),
            }));
        for (data, _) in burst {
            client.send(data);
        }
        gate.open();
        for _ in burst {
            next(&outcomes)?;
        }
        for answer in burst.iter().filter_map(|(_, message)| message.answer()) {
            let got = client.receive();
            if got != answer {
                return Err(format!(
                    "an answer of {} bytes, not of {}",
                    got.len(),
                    answer.len()
                ));
            }
        }
    }
    Ok(())
}

fn every_datagram_is_read_by_itself<T: Packets, M: socketserver::Strategy + Default>() {
    play_many(&conversations(), play::<T, M>);
}

over_pairs!([Udp, UnixDatagram] every_datagram_is_read_by_itself);
