//! In the place of the crate's `sys`: the waits of a thread for another one are the real sources, what
//! the kernel does is a model.

#[allow(dead_code)]
#[path = "../../../src/sys/condition.rs"]
pub(crate) mod condition;
pub(crate) mod coroutine;
#[cfg(feature = "core")]
pub(crate) mod fork;
pub(crate) mod parked;
#[cfg(feature = "core")]
pub(crate) mod plea;
#[allow(dead_code)]
#[path = "../../../src/sys/turn.rs"]
pub(crate) mod turn;
pub(crate) mod wake;
