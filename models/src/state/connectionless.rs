//! The models have no requests but connections.

use std::sync::Arc;

use crate::state::RequestInfo;

#[derive(Default)]
pub(crate) struct ConnectionlessRequests;

pub(crate) struct ConnectionlessRequest;

pub(crate) struct ListEntry(#[allow(dead_code)] Arc<ConnectionlessRequests>);

impl ConnectionlessRequests {
    pub(crate) fn list(self: &Arc<Self>, _request: ConnectionlessRequest) -> ListEntry {
        ListEntry(Arc::clone(self))
    }

    pub(crate) fn infos(&self) -> Vec<RequestInfo> {
        Vec::new()
    }
}

impl ListEntry {
    pub(crate) fn set_process(&self, _process: u32) {}

    pub(crate) fn info(&self) -> Option<RequestInfo> {
        None
    }
}
