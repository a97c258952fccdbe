//! Roles of the current thread, or of the coroutine that it runs, for each server.
//!
//! Code that waits for the end of a server uses them to recognize that it would wait for itself.

use std::cell::RefCell;
use std::mem;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs an accept loop of the server.
    Loop,
    /// Runs a request of the server.
    Request,
}

/// Roles of a thread or coroutine, each with the server's id. The innermost role is last. There can be
/// several, because a handler may run another server. The first needs no allocation.
#[derive(Default)]
pub(crate) struct Roles {
    first: Option<(u64, Role)>,
    more: Vec<(u64, Role)>,
}

impl Roles {
    const NONE: Self = Self {
        first: None,
        more: Vec::new(),
    };

    fn push(&mut self, server: u64, role: Role) {
        let role = (server, role);
        match self.first {
            None => self.first = Some(role),
            Some(_) => self.more.push(role),
        }
    }

    fn pop(&mut self) {
        if self.more.pop().is_none() {
            self.first = None;
        }
    }

    fn contains(&self, server: u64, role: Role) -> bool {
        let role = (server, role);
        self.first == Some(role) || self.more.contains(&role)
    }
}

thread_local! {
    static ROLES: RefCell<Roles> = const { RefCell::new(Roles::NONE) };
}

/// Gives this thread a role until the result is dropped.
#[inline]
pub(crate) fn enter(server: u64, role: Role) -> Entered {
    ROLES.with_borrow_mut(|roles| roles.push(server, role));
    Entered(())
}

/// Returns whether this thread has `role` for `server`.
#[inline]
pub(crate) fn is(server: u64, role: Role) -> bool {
    ROLES.with_borrow(|roles| roles.contains(server, role))
}

/// Returns whether this thread has any role for `server`.
pub(crate) fn is_busy_for(server: u64) -> bool {
    is(server, Role::Loop) || is(server, Role::Request)
}

/// Exchanges the roles of this thread for `roles`, when the thread switches to or from a coroutine.
#[inline]
pub(crate) fn exchange(roles: &mut Roles) {
    ROLES.with_borrow_mut(|current| mem::swap(current, roles));
}

/// Role that ends when this is dropped.
pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        ROLES.with_borrow_mut(Roles::pop);
    }
}
