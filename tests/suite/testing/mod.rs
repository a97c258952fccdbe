//! The module `socketserver::testing`, with which users test their servers.

mod client;
mod converse;
mod server;

use std::panic::{AssertUnwindSafe, catch_unwind};

use socketserver::{FnService, Request, Result, Server, Strategy, handler_fn};

use crate::support::net::*;

/// Binds a server to a new address in `dir`.
fn bind<T: Reachable, M: Strategy + Default>(
    dir: &TempDir,
    handle: impl Fn(&mut T::Request) -> Result + Send + Sync + 'static,
) -> Server<T, FnService<impl Fn(&mut T::Request) -> Result + Send + Sync + 'static>, M> {
    T::bind(dir, Server::options(), handler_fn(handle)).unwrap()
}

/// Answers each read with its bytes in brackets.
fn bracket_reads<R: Request>(request: &mut R) -> Result {
    loop {
        let piece = request.recv(100)?;
        if piece.is_empty() {
            return Ok(());
        }
        request.send_all([b"[", &piece[..], b"]"].concat())?;
    }
}

/// Returns the message of the panic of `work`.
#[track_caller]
fn panic_of<R>(work: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else {
        panic!("no panic");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}
