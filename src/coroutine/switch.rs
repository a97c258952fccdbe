//! Switching stacks: the only part of the coroutines that the compiler cannot check.
//!
//! What makes it sound:
//!
//! - **A coroutine stays on its thread.** Neither it nor its worker is `Send`, so thread-locals, `Rc`s
//!   and lock guards on its stack mean the same before and after a switch.
//! - **A coroutine is run to its end or never touched again.** A suspended one is not dropped but leaked
//!   ([`ManuallyDrop`]): what lives on its stack, and may have been lent to another thread
//!   ([`super::blocking`]), stays where it is.
//! - **[`CURRENT`] points to the frame of the coroutine that runs**, and to nothing while none does. It
//!   is set when the coroutine starts, taken away before each switch out of it, put back after each
//!   switch into it.
//! - **Nobody suspends while unwinding** ([`Task::can_wait`]): the count of panics belongs to the thread.
//! - **The end of a stack is a page that cannot be accessed.** Rust's functions touch every page of their
//!   frames in order, so an overflow ends the process there and cannot go past it.
//!
//! What remains is what every library of this kind has to leave to its user: a scoped thread-local (a
//! pointer into one stack frame, kept in a thread-local for the duration of a closure) shows through to
//! other coroutines if a handler waits inside such a closure.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use corosensei::stack::{DefaultStack, Stack as _, StackPointer};
use corosensei::{CoroutineResult, Yielder};

use crate::coroutine::task::Task;

/// The memory that a coroutine runs on.
pub(crate) struct Stack {
    memory: DefaultStack,
    /// Where it begins.
    base: StackPointer,
}

impl Stack {
    /// At most this far into its first page a stack begins. What a handler needs while it waits mostly
    /// fits into the rest of it.
    const SHIFT: usize = 2048;
    const STEP: usize = 128;

    /// At least `size` bytes, of which only what is touched takes memory, and a page that must not be
    /// touched.
    pub(super) fn new(size: usize) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);

        let memory = DefaultStack::new(size + Self::SHIFT)?;
        // If all began at the same place of a page, they would share a few lines of the processor's
        // cache, and push each other out of it.
        let shift = NEXT.fetch_add(Self::STEP, Ordering::Relaxed) % Self::SHIFT;
        let base = memory.base().get() - shift;
        Ok(Self {
            base: StackPointer::new(base).expect("memory does not begin at 0"),
            memory,
        })
    }
}

// SAFETY: it is a part of a stack that has a guard page at the same end: what is left out is at the
// other, a multiple of the alignment, and was asked for in addition.
unsafe impl corosensei::stack::Stack for Stack {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.memory.limit()
    }
}

/// Code that is suspended, or has not begun yet.
pub(super) struct Coroutine(ManuallyDrop<corosensei::Coroutine<(), (), (), Stack>>);

impl Coroutine {
    /// Prepares `work` to run on `stack`, as what `task` describes.
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

    /// Runs it until it suspends or ends; the stack comes back at its end. `work` must not panic.
    #[inline]
    pub(super) fn resume(mut self) -> Result<Self, Stack> {
        match self.0.resume(()) {
            CoroutineResult::Yield(()) => Ok(self),
            CoroutineResult::Return(()) => Err(ManuallyDrop::into_inner(self.0).into_stack()),
        }
    }
}

/// The frame at the bottom of a coroutine's stack.
struct Running {
    task: Task,
    yielder: *const Yielder<(), ()>,
}

thread_local! {
    static CURRENT: Cell<*const Running> = const { Cell::new(ptr::null()) };
}

/// Whether this is the code of a coroutine.
#[inline]
pub(crate) fn is_coroutine() -> bool {
    !CURRENT.get().is_null()
}

/// Calls `act` with the coroutine that runs, if one does.
#[inline]
pub(crate) fn with_current<T>(act: impl FnOnce(&Task) -> T) -> Option<T> {
    let running = CURRENT.get();
    if running.is_null() {
        return None;
    }
    // SAFETY: it points to a frame of the stack that this code runs on, further down, so it is there
    // until `act` has returned, however often that switches. Nobody has a mutable reference to it.
    Some(act(unsafe { &(*running).task }))
}

/// Switches from the coroutine that runs to its worker, until that resumes it.
pub(super) fn suspend() {
    let running = CURRENT.replace(ptr::null());
    debug_assert!(!running.is_null(), "only a coroutine can suspend");
    // SAFETY: as in `with_current`; the yielder is that of this very coroutine, further down still.
    unsafe { (*(*running).yielder).suspend(()) };
    CURRENT.set(running);
}
