//! Requests that are no live connection of this process: datagrams, and requests in child processes.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use slab::Slab;

use crate::address::SocketAddress;
use crate::state::{Activity, RequestInfo};
use crate::sys::coarse_clock::Moment;

/// The list of these requests, for [`ServerHandle::requests`](crate::ServerHandle::requests).
#[derive(Default)]
pub(crate) struct ConnectionlessRequests {
    list: Mutex<List>,
    loops: Mutex<Vec<Weak<CurrentDatagram>>>,
}

#[derive(Default)]
struct List {
    /// Each request with its id.
    entries: Slab<(u64, ConnectionlessRequest)>,
    /// Number of requests that were ever listed.
    total: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct ConnectionlessRequest {
    pub(crate) client_address: SocketAddress,
    pub(crate) accepted_at: Moment,
    /// Id of the child process that runs the request.
    pub(crate) process: Option<u32>,
}

/// The entry of one request in the list. Dropping it removes the entry.
pub(crate) struct ListEntry {
    requests: Arc<ConnectionlessRequests>,
    key: usize,
}

/// The datagram that one accept loop serves inline. Such datagrams are not listed one by one, because
/// they are too short-lived.
pub(crate) struct CurrentDatagram {
    current: Mutex<(u64, Option<ConnectionlessRequest>)>,
}

/// First id of listed requests. Ids of connections start at 1. Ids of the datagrams of each accept loop
/// start at a multiple of this number.
const FIRST_ID: u64 = 1 << 48;

impl ConnectionlessRequest {
    /// A request that is accepted now, by this process.
    pub(crate) fn new(client_address: SocketAddress) -> Self {
        Self {
            client_address,
            accepted_at: Moment::now(),
            process: None,
        }
    }

    fn info(&self, id: u64) -> RequestInfo {
        let age = self.accepted_at.elapsed();
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
    /// Lists a request until the result is dropped.
    pub(crate) fn list(self: &Arc<Self>, request: ConnectionlessRequest) -> ListEntry {
        let mut list = self.list.lock();
        list.total += 1;
        let id = FIRST_ID + list.total;
        ListEntry {
            requests: Arc::clone(self),
            key: list.entries.insert((id, request)),
        }
    }

    /// Registers an accept loop that serves datagrams inline.
    pub(crate) fn register_loop(&self) -> Arc<CurrentDatagram> {
        let mut loops = self.loops.lock();
        loops.retain(|current| current.strong_count() > 0);
        let first_id = FIRST_ID * (2 + loops.len() as u64);
        let current = Arc::new(CurrentDatagram {
            current: Mutex::new((first_id, None)),
        });
        loops.push(Arc::downgrade(&current));
        current
    }

    pub(crate) fn infos(&self) -> Vec<RequestInfo> {
        let list = self.list.lock();
        let entries = list.entries.iter();
        let mut infos: Vec<_> = entries
            .map(|(_, (id, request))| request.info(*id))
            .collect();
        drop(list);
        let loops: Vec<_> = self.loops.lock().iter().filter_map(Weak::upgrade).collect();
        infos.extend(loops.iter().filter_map(|current| current.info()));
        infos
    }
}

impl ListEntry {
    pub(crate) fn info(&self) -> Option<RequestInfo> {
        let list = self.requests.list.lock();
        let (id, request) = list.entries.get(self.key)?;
        Some(request.info(*id))
    }

    /// Records the child process that runs the request.
    #[cfg(unix)]
    pub(crate) fn set_process(&self, process: u32) {
        if let Some((_, request)) = self.requests.list.lock().entries.get_mut(self.key) {
            request.process = Some(process);
        }
    }
}

impl Drop for ListEntry {
    fn drop(&mut self) {
        self.requests.list.lock().entries.remove(self.key);
    }
}

impl CurrentDatagram {
    /// Shows that the loop serves a datagram of this client, until the result is dropped.
    #[inline]
    pub(crate) fn begin(&self, client_address: SocketAddress) -> DatagramInProgress<'_> {
        let mut current = self.current.lock();
        *current = (
            current.0 + 1,
            Some(ConnectionlessRequest::new(client_address)),
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
