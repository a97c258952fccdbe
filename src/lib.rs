//! Python's `socketserver`, in Rust.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod aliases;
mod error;
mod handler;
mod handler_error;
mod job;
pub mod request;
mod server;
mod service;
pub mod strategy;
mod sys;
pub mod transport;

pub use address::{Address, ServerAddress, UnixAddress};
pub use aliases::*;
pub use error::{BoxError, Error, Result};
pub use handler::{HandlerFn, RequestHandler, handler_fn};
pub use handler_error::{HandlerError, ShuttingDown, Stage};
pub use job::{Job, Rejected};
pub use request::{
    DatagramRequest, DatagramSocket, Request, Sender, StreamReader, StreamRequest, StreamSocket,
    StreamWriter, TcpRequest, UdpRequest, UnixDatagramRequest, UnixStreamRequest,
};
pub use server::{DrainReport, Handled, RunningServer, Server, ServerHandle, ServerOptions, Stats};
pub use service::{Service, SharedFn};
pub use strategy::{
    Notifier, Ready, RequestKind, Sequential, Strategy, ThreadPool, Threading, Wait, WhenFull,
};
pub use transport::{Bind, FromListener, Transport};
