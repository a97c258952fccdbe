//! What a handler can do about waits that are not for its client.

use std::time::Duration;

use crate::sys;

/// Runs `work`, which may block or take long, without holding up others: for handlers that run as
/// [`Coroutines`](crate::Coroutines), which share a thread. It is run on another thread, while the
/// handler's own goes on with other requests, and its result returned.
///
/// Under every other strategy, and outside handlers, it is a plain call of `work`: so a handler that uses
/// it runs under all of them. `work` can borrow what the handler has.
///
/// ```
/// use socketserver::prelude::*;
///
/// fn password_is_right(line: &[u8]) -> bool {
///     // Takes 100 ms, on purpose.
/// #   line == b"sesame\n"
/// }
///
/// let door = handler_fn(|request: &mut TcpRequest| {
///     let line = request.readline(100)?;
///     let right = socketserver::blocking(|| password_is_right(&line));
///     request.send_all(if right { "come in\n" } else { "no\n" })?;
///     Ok(())
/// });
/// let server = CoroutineTcpServer::bind("127.0.0.1:0", door)?.spawn()?;
/// # let mut client = std::net::TcpStream::connect(server.server_address())?;
/// # client.write_all(b"sesame\n")?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer)?;
/// # assert_eq!(answer, "come in\n");
/// # Ok::<(), BoxError>(())
/// ```
///
/// Each server has up to 512 threads for this, started as they are needed; what comes on top of that
/// waits. If no thread can be had at all, `work` runs where it was called.
///
/// A stop of the server does not interrupt `work`: a handler in it is abandoned after the
/// [grace period](crate::Server::grace), as one that computes is.
///
/// Python: `gevent.get_hub().threadpool.apply(work)`; in asyncio `run_in_executor`, `to_thread`.
///
/// # Panics
///
/// As `work` does: a panic in it goes on in the handler.
#[doc(alias = "run_in_executor")]
#[doc(alias = "to_thread")]
#[doc(alias = "threadpool")]
pub fn blocking<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    sys::coroutine::blocking(work)
}

/// Waits for at least `duration`, without holding up others: what [`std::thread::sleep`] is, for handlers
/// that run as [`Coroutines`](crate::Coroutines) too. Under every other strategy, and outside handlers,
/// the two are the same. A stop of the server does not end it. One of zero lets the others have their turn.
///
/// Python: `time.sleep`, `gevent.sleep`.
#[doc(alias = "gevent.sleep")]
pub fn sleep(duration: Duration) {
    sys::coroutine::sleep(duration);
}
