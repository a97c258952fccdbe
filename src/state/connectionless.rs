//! Requests that are no live connection of this process: datagrams, and what runs in child processes.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::address::SocketAddress;
use crate::state::{Activity, RequestInfo};
use crate::sys::coarse_clock::Moment;

/// Who these requests are from, for whoever asks what is still running.
#[derive(Default)]
pub(crate) struct ConnectionlessRequests {
    list_entry: Mutex<List>,
    loops: Mutex<Vec<Weak<CurrentDatagram>>>,
}

#[derive(Default)]
struct List {
    places: Vec<Option<(u64, ConnectionlessRequest)>>,
    free: Vec<usize>,
    ever: u64,
}

/// One such request.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionlessRequest {
    pub(crate) client_address: SocketAddress,
    pub(crate) began: Moment,
    pub(crate) process: Option<u32>,
}

/// Its place in the list, until this is dropped.
pub(crate) struct ListEntry {
    requests: Arc<ConnectionlessRequests>,
    place: usize,
}

/// What an accept loop is busy with that serves datagrams on the spot: they come and go too fast to
/// enter them into a list.
pub(crate) struct CurrentDatagram {
    current: Mutex<(u64, Option<ConnectionlessRequest>)>,
}

/// Connections are numbered from 1, these from here, and those on each current_datagram from a multiple of it, so
/// that no number is given twice.
const FIRST: u64 = 1 << 48;

impl ConnectionlessRequest {
    pub(crate) fn now(client_address: SocketAddress) -> Self {
        Self {
            client_address,
            began: Moment::now(),
            process: None,
        }
    }

    fn info(&self, id: u64) -> RequestInfo {
        let age = self.began.elapsed();
        RequestInfo {
            id,
            client_address: self.client_address.clone(),
            age,
            idle: age,
            activity: Activity::Running,
            bytes_received: 0,
            bytes_sent: 0,
            process_id: self.process,
            sender: None,
        }
    }
}

impl ConnectionlessRequests {
    pub(crate) fn list(self: &Arc<Self>, other: ConnectionlessRequest) -> ListEntry {
        let mut list = self.list_entry.lock();
        list.ever += 1;
        let entry = Some((FIRST + list.ever, other));
        let place = match list.free.pop() {
            Some(place) => {
                list.places[place] = entry;
                place
            }
            None => {
                list.places.push(entry);
                list.places.len() - 1
            }
        };
        ListEntry {
            requests: Arc::clone(self),
            place,
        }
    }

    /// A place for what a loop is busy with.
    pub(crate) fn current_datagram(&self) -> Arc<CurrentDatagram> {
        let mut loops = self.loops.lock();
        loops.retain(|current_datagram| current_datagram.strong_count() > 0);
        let first = FIRST * (2 + loops.len() as u64);
        let current_datagram = Arc::new(CurrentDatagram {
            current: Mutex::new((first, None)),
        });
        loops.push(Arc::downgrade(&current_datagram));
        current_datagram
    }

    pub(crate) fn infos(&self) -> Vec<RequestInfo> {
        let list = self.list_entry.lock();
        let list_entry = list.places.iter().flatten();
        let mut infos: Vec<_> = list_entry.map(|(id, other)| other.info(*id)).collect();
        drop(list);
        let desks: Vec<_> = self.loops.lock().iter().filter_map(Weak::upgrade).collect();
        infos.extend(
            desks
                .iter()
                .filter_map(|current_datagram| current_datagram.info()),
        );
        infos
    }
}

impl ListEntry {
    pub(crate) fn info(&self) -> Option<RequestInfo> {
        let list = self.requests.list_entry.lock();
        let (id, other) = list.places[self.place].as_ref()?;
        Some(other.info(*id))
    }

    /// It is known by now in which process it runs.
    pub(crate) fn set_process(&self, process: u32) {
        if let Some((_, other)) = &mut self.requests.list_entry.lock().places[self.place] {
            other.process = Some(process);
        }
    }
}

impl Drop for ListEntry {
    fn drop(&mut self) {
        let mut list = self.requests.list_entry.lock();
        list.places[self.place] = None;
        list.free.push(self.place);
    }
}

impl CurrentDatagram {
    /// The loop is busy with a datagram from there, until the result is dropped.
    #[inline]
    pub(crate) fn begin(&self, client_address: SocketAddress) -> DatagramInProgress<'_> {
        let mut current = self.current.lock();
        *current = (
            current.0 + 1,
            Some(ConnectionlessRequest::now(client_address)),
        );
        DatagramInProgress(self)
    }

    fn info(&self) -> Option<RequestInfo> {
        let current = self.current.lock();
        Some(current.1.as_ref()?.info(current.0))
    }
}

pub(crate) struct DatagramInProgress<'a>(&'a CurrentDatagram);

impl Drop for DatagramInProgress<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.current.lock().1 = None;
    }
}
