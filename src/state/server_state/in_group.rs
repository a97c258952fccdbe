//! A server as a member of a group: one stop and one limit for all members.

use std::sync::Arc;

use crate::state::counters::RejectionReason;
use crate::state::limits::{Admission, SharedEntry};
use crate::state::server_state::ServerGroupState;
use crate::state::{Rejection, ServerState};

/// The result of trying to reserve one of the places that the group has.
pub(crate) enum GroupEntry {
    /// The server is in no group, or the group has no limit.
    Unlimited,
    Permit(GroupPermit),
    Wait,
    Reject(RejectionReason, Rejection),
}

/// A place of the group for the next connection. Dropping it returns the place, unless a connection was
/// [admitted](Self::admit) with it.
pub(crate) struct GroupPermit {
    group: Arc<ServerGroupState>,
    is_used: bool,
}

impl ServerState {
    pub(super) fn group(&self) -> Option<Arc<ServerGroupState>> {
        self.group.get()?.upgrade()
    }

    /// Makes this server a member of `group`. A server is in one group at most.
    pub(crate) fn join_group(
        self: &Arc<Self>,
        group: &Arc<ServerGroupState>,
        name: String,
        has_connections: bool,
    ) {
        if self.group.set(Arc::downgrade(group)).is_ok() {
            group.push(name, Arc::clone(self), has_connections);
        }
    }

    /// Calls `act` for every server of the group, or for this server if it is in no group.
    pub(super) fn for_group(self: &Arc<Self>, act: impl Fn(&Arc<Self>)) {
        match self.group() {
            Some(group) => group.servers().for_each(act),
            None => act(self),
        }
    }

    fn limited_group(&self) -> Option<Arc<ServerGroupState>> {
        self.group().filter(|group| group.limit.is_set())
    }

    /// Returns the decision of the group's limit about the next connection.
    #[inline]
    pub(crate) fn group_admission(&self) -> Admission {
        match self.limited_group() {
            Some(group) => group.limit.admission(|| group.active_connections()),
            None => Admission::Admit,
        }
    }

    /// Reserves a place of the group for the next connection, if its limit allows it.
    #[inline]
    pub(crate) fn try_admit_to_group(&self) -> GroupEntry {
        let Some(group) = self.limited_group() else {
            return GroupEntry::Unlimited;
        };
        match group.limit.try_reserve(|| group.active_connections()) {
            SharedEntry::Reserved => GroupEntry::Permit(GroupPermit {
                group,
                is_used: false,
            }),
            SharedEntry::Wait => GroupEntry::Wait,
            SharedEntry::Reject(reason, rejection) => GroupEntry::Reject(reason, rejection),
        }
    }

    /// Wakes the accept loops of all members that wait for a place. Called after the counters were updated.
    #[inline]
    pub(crate) fn notify_group_place_free(&self) {
        if self.group.get().is_some()
            && let Some(group) = self.limited_group()
        {
            group.notify_place_free();
        }
    }
}

impl ServerGroupState {
    fn active_connections(&self) -> usize {
        let members = self.members().filter(|member| member.has_connections);
        members.map(|member| member.server.active()).sum()
    }

    /// Wakes the accept loops of all members that wait for a place, whichever limit they wait for.
    pub(crate) fn notify_place_free(&self) {
        for server in self.servers() {
            server.limits.notify_place_free(&server.waker);
        }
    }
}

impl GroupPermit {
    /// Admits the connection. `count` counts it as accepted by its server.
    pub(crate) fn admit<T>(mut self, count: impl FnOnce() -> T) -> T {
        let (counted, may_reject) = self.group.limit.admit(count);
        self.is_used = true;
        if may_reject {
            // A loop may wait because this permit was out; now it can decide.
            self.group.notify_place_free();
        }
        counted
    }
}

impl Drop for GroupPermit {
    fn drop(&mut self) {
        if !self.is_used {
            self.group.limit.give_back();
            self.group.notify_place_free();
        }
    }
}
