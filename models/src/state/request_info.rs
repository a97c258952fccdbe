//! A request, as reports list it: its number.

use std::fmt;
use std::sync::Arc;

use crate::state::live_connection::LiveConnection;

#[derive(Clone)]
pub(crate) struct RequestInfo {
    id: u64,
    /// Present because the reports clear it.
    pub(crate) sender: Option<Sender>,
}

#[derive(Clone)]
pub(crate) struct Sender;

impl RequestInfo {
    pub(crate) fn new(id: u64) -> Self {
        Self { id, sender: None }
    }

    pub(crate) fn with_sender(connection: &Arc<dyn LiveConnection>) -> Self {
        Self {
            sender: Some(Sender),
            ..Self::new(connection.client_address().id())
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl fmt::Debug for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.id)
    }
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}
