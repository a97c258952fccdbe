//! The models have no limits.

use crate::sys::waker::Waker;

#[derive(Clone, Copy)]
pub(crate) struct Client;

#[derive(Default)]
pub(crate) struct LimitConfig(());

pub(crate) struct Limits(());

impl Limits {
    pub(crate) fn new(_config: LimitConfig) -> Self {
        Self(())
    }

    pub(crate) fn remove_client(&self, _client: Client) {}

    pub(crate) fn notify_place_free(&self, _waker: &Waker) {}
}
