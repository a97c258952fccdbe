//! Closing all servers of a group at the same time.

use std::thread;

use parking_lot::Mutex;

use crate::reentrancy;
use crate::server::group::member::Member;
use crate::server::group::report::{GroupReport, MemberReport};
use crate::sys::fork_gate::parked;

/// Closes the servers, each on a thread of its own, so that their grace periods run at the same time.
pub(super) fn close_all(members: Vec<Member>) -> GroupReport {
    if members
        .iter()
        .any(|member| member.state().in_forked_child())
    {
        // The threads and the servers belong to the parent process.
        std::mem::forget(members);
        return GroupReport::default();
    }
    // All are told before any of them is waited for.
    members.iter().for_each(Member::begin_closing);
    // A handler that closes its own server does not wait for itself. Only this thread knows of that.
    let (busy, mut others): (Vec<_>, Vec<_>) = (0..members.len())
        .partition(|&number| reentrancy::is_busy_for(members[number].state().id()));
    let own = others.pop();
    let slots: Vec<_> = members.into_iter().map(Slot::new).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = others
            .iter()
            .filter_map(|&number| {
                let slot = &slots[number];
                let thread = thread::Builder::new().name("socketserver-close".into());
                thread.spawn_scoped(scope, || slot.close()).ok()
            })
            .collect();
        for number in busy.into_iter().chain(own) {
            slots[number].close();
        }
        // The servers for which the system had no thread.
        if threads.len() < others.len() {
            slots.iter().for_each(Slot::close);
        }
        parked(|| {
            for thread in threads {
                let _ = thread.join();
            }
        });
    });
    let members = slots
        .into_iter()
        .filter_map(|slot| slot.report.into_inner());
    GroupReport {
        members: members.collect(),
    }
}

/// A server until it is closed, and then its report.
struct Slot {
    member: Mutex<Option<Member>>,
    report: Mutex<Option<MemberReport>>,
}

impl Slot {
    fn new(member: Member) -> Self {
        Self {
            member: Mutex::new(Some(member)),
            report: Mutex::new(None),
        }
    }

    fn close(&self) {
        // Not held while the server is closed.
        let member = self.member.lock().take();
        if let Some(member) = member {
            *self.report.lock() = Some(member.close());
        }
    }
}
