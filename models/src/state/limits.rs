//! Nobody is counted but by the counters: there are no limits.

use std::sync::Arc;

use super::core::Core;

#[derive(Clone, Copy)]
pub(crate) struct Client;

#[derive(Default)]
pub(crate) struct Limits(());

impl Limits {
    pub(crate) fn leave(&self, _client: Client) {}

    pub(crate) fn announce_place(&self, _core: &Arc<Core>) {}
}
