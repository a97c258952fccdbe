//! The servers of a group, as their states see each other.

use std::sync::OnceLock;

use crate::state::limits::SharedLimit;

/// A list of servers with one life cycle. It only grows, and it is read without a lock, so that a forked child can
/// read its copy.
pub(crate) struct Group<S> {
    first: OnceLock<Box<Member<S>>>,
    /// The limit of connections of all members together.
    pub(crate) limit: SharedLimit,
}

/// A server of a group.
pub(crate) struct Member<S> {
    pub(crate) name: String,
    pub(crate) server: S,
    /// Whether its requests are connections, which count for the limit of the group.
    pub(crate) has_connections: bool,
    next: OnceLock<Box<Self>>,
}

impl<S> Group<S> {
    pub(crate) fn new() -> Self {
        Self {
            first: OnceLock::new(),
            limit: SharedLimit::default(),
        }
    }

    pub(crate) fn push(&self, name: String, server: S, has_connections: bool) {
        let mut member = Box::new(Member {
            name,
            server,
            has_connections,
            next: OnceLock::new(),
        });
        let mut slot = &self.first;
        while let Err(returned) = slot.set(member) {
            member = returned;
            if let Some(taken) = slot.get() {
                slot = &taken.next;
            }
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member<S>> {
        std::iter::successors(self.first.get(), |member| member.next.get()).map(|member| &**member)
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &S> {
        self.members().map(|member| &member.server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_in_their_order() {
        let group = Group::new();
        assert_eq!(group.servers().count(), 0);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let group = &group;
                scope.spawn(move || {
                    for step in 0..100 {
                        group.push(String::new(), (number, step), false);
                    }
                });
            }
        });
        let servers: Vec<_> = group.servers().copied().collect();
        assert_eq!(servers.len(), 400);
        for number in 0..4 {
            let steps = servers.iter().filter(|server| server.0 == number);
            assert!(steps.map(|server| server.1).eq(0..100));
        }
    }
}
