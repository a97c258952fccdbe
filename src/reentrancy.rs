//! What the current thread, or the coroutine that it runs, is doing for which server, so that a wait for
//! that server's end can tell when it would wait for itself.

use std::cell::RefCell;
use std::mem;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs one of its accept loops.
    Loop,
    /// Runs one of its requests.
    Request,
}

/// The roles of a thread or coroutine, innermost last: a handler may run a server of its own. The first
/// has a place without an allocation.
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

/// Takes on a role until the result is dropped.
#[inline]
pub(crate) fn enter(server: u64, role: Role) -> Entered {
    ROLES.with_borrow_mut(|roles| roles.push(server, role));
    Entered(())
}

/// Whether this thread has taken on `role` for `state`.
#[inline]
pub(crate) fn is(server: u64, role: Role) -> bool {
    ROLES.with_borrow(|roles| roles.contains(server, role))
}

/// Whether this thread runs anything for `state`.
pub(crate) fn is_busy_for(server: u64) -> bool {
    is(server, Role::Loop) || is(server, Role::Request)
}

/// Puts other roles in the place of those that this thread has: it goes on with something else.
#[inline]
pub(crate) fn exchange(roles: &mut Roles) {
    ROLES.with_borrow_mut(|here| mem::swap(here, roles));
}

pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        ROLES.with_borrow_mut(Roles::pop);
    }
}
