//! Switches between stacks: the part of the coroutines that the compiler cannot check.
//!
//! Reasons why it is sound:
//!
//! - **A coroutine stays on its thread.** Neither a coroutine nor its worker is `Send`. Therefore
//!   thread-locals, `Rc`s and lock guards on its stack have the same meaning before and after a switch.
//! - **A coroutine runs to its end or is never touched again.** A suspended coroutine is leaked, not
//!   dropped ([`ManuallyDrop`]). Values on its stack stay in place, because they may be lent to another
//!   thread ([`super::blocking`]).
//! - **[`CURRENT`] points to the stack of the coroutine that runs**, and is null while none runs. It is
//!   set when a coroutine starts, cleared before each switch out of it, and restored after each switch
//!   into it.
//! - **A coroutine does not suspend while it unwinds** ([`Task::can_wait`]), because `std` counts panics
//!   by thread.
//! - **A stack ends with a page that cannot be accessed.** Functions in Rust touch the pages of their
//!   frames in order. Therefore an overflow ends the process at this page.
//!
//! One hazard is left to the user, as by every library of this kind: a scoped thread-local (a pointer to
//! a stack frame that is stored in a thread-local during a closure) is visible to other coroutines if the
//! handler waits inside the closure.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use corosensei::stack::{DefaultStack, Stack as _, StackPointer};
use corosensei::{CoroutineResult, Yielder};

use crate::coroutine::task::Task;

/// The stack of a coroutine.
pub(crate) struct Stack {
    memory: DefaultStack,
    /// The address at which the coroutine begins. Stacks grow downwards from it.
    base: StackPointer,
}

impl Stack {
    /// Bound of the distance between the start of `memory` and `base`. The frames of a handler that
    /// waits mostly fit into the rest of the first page.
    const MAX_SHIFT: usize = 2048;
    const STEP: usize = 128;

    /// Maps at least `size` bytes, and a guard page. Only pages that are touched use memory.
    pub(super) fn new(size: usize) -> io::Result<Self> {
        static NEXT_SHIFT: AtomicUsize = AtomicUsize::new(0);

        let memory = DefaultStack::new(size + Self::MAX_SHIFT)?;
        // If all stacks began at the same offset in a page, they would compete for a few lines of the
        // processor's cache.
        let shift = NEXT_SHIFT.fetch_add(Self::STEP, Ordering::Relaxed) % Self::MAX_SHIFT;
        let base = memory.base().get() - shift;
        Ok(Self {
            base: StackPointer::new(base).expect("a mapping is not at address 0"),
            memory,
        })
    }
}

// SAFETY: this is a part of a valid stack with a guard page at the same limit. Only its base is moved,
// by a multiple of the alignment, and its size was requested in addition to the bytes left out.
unsafe impl corosensei::stack::Stack for Stack {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.memory.limit()
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        self.memory.teb_fields()
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, stack_limit: usize, guaranteed_stack_bytes: usize) {
        self.memory
            .update_teb_fields(stack_limit, guaranteed_stack_bytes);
    }
}

/// A coroutine that is suspended, or has not started yet.
pub(super) struct Coroutine(ManuallyDrop<corosensei::Coroutine<(), (), (), Stack>>);

impl Coroutine {
    /// Prepares `work` to run on `stack`. `work` must not panic. [`with_current`] passes `task` to its
    /// code.
    pub(super) fn new(stack: Stack, task: Task, work: impl FnOnce() + 'static) -> Self {
        let entry = move |yielder: &Yielder<(), ()>, ()| {
            let running = Running { task, yielder };
            CURRENT.set(&raw const running);
            work();
            CURRENT.set(ptr::null());
        };
        Self(ManuallyDrop::new(corosensei::Coroutine::with_stack(
            stack, entry,
        )))
    }

    /// Runs it until it suspends (`Ok`) or ends (`Err`, with its stack).
    #[inline]
    pub(super) fn resume(mut self) -> Result<Self, Stack> {
        match self.0.resume(()) {
            CoroutineResult::Yield(()) => Ok(self),
            CoroutineResult::Return(()) => Err(ManuallyDrop::into_inner(self.0).into_stack()),
        }
    }
}

/// The outermost frame on the stack of a coroutine.
struct Running {
    task: Task,
    yielder: *const Yielder<(), ()>,
}

thread_local! {
    static CURRENT: Cell<*const Running> = const { Cell::new(ptr::null()) };
}

/// Checks that coroutines can run on this processor.
pub(super) fn check_available() -> io::Result<()> {
    Ok(())
}

/// Returns whether the caller runs in a coroutine.
#[inline]
pub(crate) fn is_coroutine() -> bool {
    !CURRENT.get().is_null()
}

/// Calls `act` with the coroutine that runs. Returns `None` outside of coroutines.
#[inline]
pub(crate) fn with_current<T>(act: impl FnOnce(&Task) -> T) -> Option<T> {
    let running = CURRENT.get();
    if running.is_null() {
        return None;
    }
    // SAFETY: the pointer is to an outer frame of the stack that this code runs on. The frame exists
    // until `act` has returned, however often `act` switches. No mutable reference to it exists.
    Some(act(unsafe { &(*running).task }))
}

/// Switches from the coroutine that runs to its worker. Returns when the worker resumes it.
pub(super) fn suspend() {
    let running = CURRENT.replace(ptr::null());
    debug_assert!(
        !running.is_null(),
        "`suspend` was called outside of a coroutine"
    );
    // SAFETY: the frame exists, as in `with_current`. The yielder is that of the same coroutine, in a
    // frame that is further out.
    unsafe { (*(*running).yielder).suspend(()) };
    CURRENT.set(running);
}
