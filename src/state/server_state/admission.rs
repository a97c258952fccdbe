//! Admission of a connection by the limits of its server, and by that of its group.

use crate::state::counters::RejectionReason;
use crate::state::limits::{Admission, Entry, Permit};
use crate::state::server_state::in_group::{GroupEntry, GroupPermit};
use crate::state::{Rejection, ServerState};

/// The result of trying to admit a connection.
pub(crate) enum ServerEntry<'a> {
    Admit(Place<'a>),
    Wait,
    Reject(RejectionReason, Rejection),
}

/// A place for one connection. Dropping it returns the place.
#[derive(Default)]
pub(crate) struct Place<'a> {
    /// `None`: the server has no limit.
    own: Option<Permit<'a>>,
    /// `None`: the server is in no group, or the group has no limit.
    group: Option<GroupPermit>,
}

impl Place<'_> {
    /// Uses the place. `count` counts the connection as accepted by its server.
    pub(crate) fn admit<T>(self, count: impl FnOnce() -> T) -> T {
        let count = || match self.group {
            Some(permit) => permit.admit(count),
            None => count(),
        };
        match self.own {
            Some(permit) => permit.admit(count),
            None => count(),
        }
    }
}

impl ServerState {
    /// Returns the present decision about the next connection.
    #[inline]
    pub(crate) fn admission(&self) -> Admission {
        match self.limits.admission(&self.counters) {
            Admission::Admit => self.group_admission(),
            other => other,
        }
    }

    /// Reserves a place for the next connection.
    #[inline]
    pub(crate) fn try_admit(&self) -> ServerEntry<'_> {
        let own = match self.limits.try_admit(&self.counters, &self.waker) {
            Entry::Unlimited => None,
            Entry::Permit(permit) => Some(permit),
            Entry::Wait => return ServerEntry::Wait,
            Entry::Reject(reason, rejection) => return ServerEntry::Reject(reason, rejection),
        };
        let group = match self.try_admit_to_group() {
            GroupEntry::Unlimited => None,
            GroupEntry::Permit(permit) => Some(permit),
            GroupEntry::Wait => return ServerEntry::Wait,
            GroupEntry::Reject(reason, rejection) => return ServerEntry::Reject(reason, rejection),
        };
        ServerEntry::Admit(Place { own, group })
    }
}
