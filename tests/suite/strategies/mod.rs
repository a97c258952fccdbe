//! Strategies: how many requests run at once, on which threads, and what happens above the limits.

mod custom;
mod full;
mod sequential;
mod thread_pool;
mod threading;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use socketserver::strategy::{AcceptWait, Ready};
use socketserver::transport::{Stream, Tcp};
use socketserver::{
    Coroutines, Job, Rejected, Rejection, Request, Sequential, Server, Service, Stage, Strategy,
    TcpRequest, ThreadPool, Threading,
};

use crate::support::net::*;

/// Observes handlers: the thread of each, and how many ran at once.
struct Watched {
    starts: mpsc::Receiver<(ThreadId, String)>,
    most_at_once: Arc<AtomicUsize>,
}

/// Makes a service that echoes lines.
fn watched<R: Request>() -> (Hooks<R>, Watched) {
    let (started, starts) = mpsc::channel();
    let most_at_once: Arc<AtomicUsize> = Arc::default();
    let (running, most) = (AtomicUsize::new(0), Arc::clone(&most_at_once));
    let hooks = Hooks::new(move |request: &mut R| {
        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        let thread = thread::current();
        let _ = started.send((thread.id(), thread.name().unwrap_or_default().to_owned()));
        let outcome = echo_lines(request);
        running.fetch_sub(1, Ordering::SeqCst);
        outcome
    });
    (
        hooks,
        Watched {
            starts,
            most_at_once,
        },
    )
}

/// Reports the end of the thread in whose thread-local storage it is.
struct ThreadEnd(mpsc::Sender<()>);

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static END: std::cell::RefCell<Option<ThreadEnd>> = const { std::cell::RefCell::new(None) };
}

/// Makes a service that echoes lines, and a channel that reports the end of each thread that ran a handler.
fn watched_threads<R: Request>() -> (Hooks<R>, mpsc::Receiver<()>) {
    let (ended, ends) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut R| {
        END.with_borrow_mut(|end| {
            end.get_or_insert_with(|| ThreadEnd(ended.clone()));
        });
        echo_lines(request)
    });
    (hooks, ends)
}
