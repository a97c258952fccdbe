//! Connections in a handler: every way to read and to write, timeouts, and both ends.

// For the disposition of SIGPIPE.
#![allow(unsafe_code)]

mod client_gone;
#[cfg(unix)]
mod credentials;
mod ends;
mod lines;
mod reading;
mod socket;
mod timeouts;
mod writing;

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::fd::AsFd;
use socket2::SockRef;
use socketserver::request::StreamSocket;
use socketserver::transport::Tcp;
#[cfg(unix)]
use socketserver::transport::UnixStream;
use socketserver::{
    Error, Request, Server, Stage, StreamRequest, TcpRequest, TcpServer, Threading,
};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;

/// Serves one client by `handle`, and returns the result of `handle`.
fn one_conversation<T: Connected, V: Send + 'static>(
    handle: impl Fn(&mut T::Request) -> V + Send + Sync + 'static,
    client: impl FnOnce(&Client),
) -> V {
    let (sender, results) = mpsc::channel();
    let host = host::<T, Threading, _>(Hooks::new(move |request| {
        let _ = sender.send(handle(request));
        Ok(())
    }));
    client(&host.client());
    next(&results)
}

/// Returns bytes without a repeating pattern, so that lost or moved bytes are noticed.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let bytes = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    bytes.take(size).collect()
}

fn writing_to_a_client_that_left_is_a_disconnect<T: Connected>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        loop {
            request.send_all([0; 1000])?;
        }
    })
    .failures();
    let host = host::<T, Threading, _>(hooks);
    drop(host.client());
    let failure = next(&failures);
    assert!(failure.is_disconnect, "{failure:?}");
}

over_streams!(writing_to_a_client_that_left_is_a_disconnect,);
