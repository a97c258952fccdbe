//! Datagrams: each is read separately, also if several are queued, and is answered by one datagram or none.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};

use proptest::collection::vec;
use proptest::prelude::*;
use socketserver::request::DatagramSocket;
#[cfg(unix)]
use socketserver::transport::UnixDatagram;
use socketserver::transport::{Datagram, Udp};
use socketserver::{DatagramRequest, Request, Sequential};

use super::{Outcome, noise, play_many, sizes};
use crate::reading::calls::{Call, Kind, Model, any_call};
use crate::support::net::*;

/// Datagram transports.
trait Packets: Reachable<Request = DatagramRequest<Self::Socket>> + Datagram {
    type Socket: DatagramSocket<Address = Self::Address>;
    /// Size in bytes of the longest datagram that the tests send.
    const LONGEST: usize;
    /// Number of datagrams that the receiver's queue holds, whatever their size.
    const QUEUED: usize;
}

impl Packets for Udp {
    type Socket = std::net::UdpSocket;
    const LONGEST: usize = 65_507;
    const QUEUED: usize = 32;
}

#[cfg(unix)]
impl Packets for UnixDatagram {
    type Socket = std::os::unix::net::UnixDatagram;
    // macOS has datagrams of 2,048 bytes, and space for two.
    const LONGEST: usize = if cfg!(target_os = "linux") {
        65_535
    } else {
        2048
    };
    const QUEUED: usize = if cfg!(target_os = "linux") { 8 } else { 1 };
}

/// The datagrams that a client sends, in order.
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
    /// Sizes of the pieces that the handler writes.
    reply: Vec<usize>,
    fails: bool,
}

#[derive(Clone, Copy, Debug)]
enum Size {
    Any(usize),
    /// `max_packet_size` plus this number minus one.
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

/// A message that is sent to the handler.
struct Expected {
    data: Vec<u8>,
    truncated: bool,
    message: Message,
    /// Delays the first handler of a burst until all datagrams of the burst are sent.
    gate: Gate,
}

impl Message {
    /// The bytes that are sent. The server may truncate them.
    fn data(&self, seed: usize, max: usize, longest: usize) -> Vec<u8> {
        let size = match self.size {
            Size::Any(size) => size,
            Size::AroundMax(more) => max + more - 1,
        };
        // Line ends, for the calls that read lines.
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

    /// The reply that the client receives, if any.
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
        let (size, truncated) = (request.packet().len(), request.truncated());
        return Err(format!(
            "{size} bytes, truncated: {truncated}, for {message:?}"
        ));
    }
    let mut model = Model::new(data, Kind::Datagram);
    let mut reply = message.reply();
    for call in &message.calls {
        model.check(call, request)?;
        // Writes have no effect on reads.
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

/// Splits a conversation into bursts that fit into the buffers of the sockets on both sides.
fn bursts(
    messages: &[(Vec<u8>, Message)],
    most: usize,
) -> impl Iterator<Item = &[(Vec<u8>, Message)]> {
    const CAPACITY: usize = 40_000;

    let mut rest = messages;
    std::iter::from_fn(move || {
        let (mut sent, mut answered) = (0, 0);
        let fits = rest.iter().take(most).take_while(|(data, message)| {
            sent += data.len();
            answered += message.reply.iter().sum::<usize>();
            sent <= CAPACITY && answered <= CAPACITY
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
            let expected = expected
                .lock()
                .unwrap()
                .pop_front()
                .expect("an expected message");
            expected.gate.pass();
            let _ = outcome.send(read(request, &expected));
            match expected.message.fails {
                true => Err("on purpose".into()),
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
        .map(|(seed, mut message)| {
            for size in &mut message.reply {
                *size = (*size).min(T::LONGEST / 4);
            }
            (message.data(seed, max, T::LONGEST), message)
        })
        .collect();
    // The last message is answered. So an unexpected reply to an earlier message is noticed.
    let last = Message {
        size: Size::Any(1),
        calls: Vec::new(),
        reply: vec![4],
        fails: false,
    };
    messages.push((last.data(0, max, 1), last));

    // Other strategies may serve the datagrams of a burst in another order.
    let in_order = TypeId::of::<M>() == TypeId::of::<Sequential>();
    for burst in bursts(&messages, if in_order { T::QUEUED } else { 1 }) {
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
                    "a reply of {} bytes instead of {}",
                    got.len(),
                    answer.len()
                ));
            }
        }
    }
    Ok(())
}

fn every_datagram_is_read_separately<T: Packets, M: socketserver::Strategy + Default>() {
    play_many(&conversations(), play::<T, M>);
}

over_pairs!([Udp, UnixDatagram] every_datagram_is_read_separately);
