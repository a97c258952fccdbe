//! Serving, stopping and serving again: `serve_forever`, `handle_request`, `spawn`, `shutdown` and
//! `wait`, under every strategy and over every transport.

mod activate;
mod any_server;
mod handle_request;
mod is_shutting_down;
mod join;
mod one_loop;
mod service_actions;
mod shutdown;
#[cfg(unix)]
mod signals;
mod spawn;
mod wait;
mod wait_for_stop;

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;
use socketserver::RequestKind;
#[cfg(unix)]
use socketserver::UnixStreamServer;
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{
    Error, Handled, Phase, Request, Sequential, Server, ServerHandle, Service, Strategy,
    TcpRequest, TcpServer, Threading, ThreadingTcpServer, UdpServer,
};

use crate::support::net::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Binds a server that several threads can share. The directory contains its socket.
fn bound<T, M, S>(service: S) -> (Arc<Server<T, S, M>>, TempDir)
where
    T: Reachable,
    M: Strategy + Default,
    S: Service<T::Request>,
{
    let dir = TempDir::new();
    let server = T::bind(&dir, Server::options(), service).unwrap();
    (Arc::new(server), dir)
}

/// A call of `serve_forever` on a thread of its own.
struct Run(JoinHandle<Result<(), Error>>);

impl Run {
    fn of<T, M, S>(server: &Arc<Server<T, S, M>>) -> Self
    where
        T: Reachable,
        M: Strategy,
        S: Service<T::Request>,
    {
        let server = Arc::clone(server);
        Self(thread::spawn(move || server.serve_forever()))
    }

    /// Waits until the call has returned, and fails if it does not.
    #[track_caller]
    fn end(self) {
        in_time(|| self.0.join()).unwrap().unwrap();
    }
}

/// Echoes one line, and stops the server if the line is `stop`.
fn echo_or_stop<R: Request>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        if line == b"stop\n" {
            request.server().shutdown();
        }
        Ok(())
    })
}
