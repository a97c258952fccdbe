//! There are no requests but connections.

use std::sync::Arc;

use crate::request::RequestInfo;

#[derive(Default)]
pub(crate) struct Others;

pub(crate) struct Other;

pub(crate) struct Listed(#[allow(dead_code)] Arc<Others>);

impl Others {
    pub(crate) fn list(self: &Arc<Self>, _other: Other) -> Listed {
        Listed(Arc::clone(self))
    }

    pub(crate) fn infos(&self) -> Vec<RequestInfo> {
        Vec::new()
    }
}

impl Listed {
    pub(crate) fn set_process(&self, _process: u32) {}

    pub(crate) fn info(&self) -> Option<RequestInfo> {
        None
    }
}
