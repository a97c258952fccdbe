//! What the current thread is doing for which server, so that a wait for that server's end can
//! tell when it would wait for itself.

use std::cell::RefCell;
use std::sync::Arc;

use super::core::Core;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs one of its accept loops.
    Loop,
    /// Runs one of its requests.
    Request,
}

thread_local! {
    /// Innermost last: a handler may run a server of its own.
    static ROLES: RefCell<Vec<(*const Core, Role)>> = const { RefCell::new(Vec::new()) };
}

/// Takes on a role until the result is dropped.
#[inline]
pub(crate) fn enter(core: &Arc<Core>, role: Role) -> Entered {
    ROLES.with_borrow_mut(|roles| roles.push((Arc::as_ptr(core), role)));
    Entered(())
}

/// Whether this thread has taken on `role` for `core`.
#[inline]
pub(crate) fn is(core: &Arc<Core>, role: Role) -> bool {
    ROLES.with_borrow(|roles| roles.contains(&(Arc::as_ptr(core), role)))
}

/// Whether this thread runs anything for `core`.
pub(crate) fn is_busy_for(core: &Arc<Core>) -> bool {
    is(core, Role::Loop) || is(core, Role::Request)
}

pub(crate) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        ROLES.with_borrow_mut(Vec::pop);
    }
}
