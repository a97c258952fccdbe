//! Panics of user code, caught and converted to messages.

use std::any::Any;
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs user code. Converts a panic to its message; Rust's panic hook has already printed it.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(message)
}

/// Runs user code that returns an `io::Result`. Converts a panic to an error of `kind`, whose message
/// begins with `what`, the name of the code.
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

/// Value of user code that is shared. Its last owner, which drops it, does not see a panic of `Drop`.
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

/// Message of a panic. The payload is not a text only after `panic_any` or `resume_unwind`.
fn message(payload: Box<dyn Any + Send>) -> String {
    let message = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "(a payload that is not text)".to_owned(),
    };
    // The payload may panic while it is dropped, and the payload of this second panic may do so, too:
    // the second payload is not dropped.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            std::panic::panic_any(PanicsOnDrop);
        }
    }

    #[test]
    fn a_panic_is_converted_to_its_message() {
        assert_eq!(catch_panic(|| 1), Ok(1));
        assert_eq!(catch_panic(|| panic!("no")), Err::<(), _>("no".into()));
        assert_eq!(
            catch_panic(|| panic!("no {}", "way")),
            Err::<(), _>("no way".into())
        );
    }

    #[test]
    fn a_panic_while_dropping_the_payload_is_caught() {
        let caught = catch_panic(|| std::panic::panic_any(PanicsOnDrop));
        assert_eq!(caught, Err("(a payload that is not text)".into()));
    }
}
