//! Keeping panics where they happen.

use std::any::Any;
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code of the user's. A panic comes out as its message, and goes no further; Rust's panic hook
/// has printed it by then.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(message)
}

/// The same where an error is expected: a panic in `what` becomes one of this kind.
pub(crate) fn catch_panic_io<T>(
    what: &str,
    kind: io::ErrorKind,
    run: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    catch_panic(run).unwrap_or_else(|message| {
        let message = format!("{what} panicked: {message}");
        Err(io::Error::new(kind, message))
    })
}

/// A value of the user's that many may be the last to have: a panic while it is dropped is not theirs.
pub(crate) struct CatchDropPanic<T>(Option<T>);

impl<T> CatchDropPanic<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for CatchDropPanic<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("only `drop` takes it"),
        }
    }
}

impl<T> Drop for CatchDropPanic<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        let _ = catch_panic(|| drop(value));
    }
}

/// The message of a panic, whose payload is a text in all but exotic cases.
fn message(payload: Box<dyn Any + Send>) -> String {
    let message = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "(a payload that is not text)".to_owned(),
    };
    // A payload may panic again while it is dropped, and what that one is made of, too.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb);
        }
    }

    #[test]
    fn panics_come_out_as_their_message() {
        assert_eq!(catch_panic(|| 1), Ok(1));
        assert_eq!(catch_panic(|| panic!("no")), Err::<(), _>("no".into()));
        assert_eq!(
            catch_panic(|| panic!("no {}", "way")),
            Err::<(), _>("no way".into())
        );
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained_too() {
        let contained = catch_panic(|| std::panic::panic_any(Bomb));
        assert_eq!(contained, Err("(a payload that is not text)".into()));
    }
}
