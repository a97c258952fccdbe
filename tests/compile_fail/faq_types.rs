//! Methods, fields and types that a Python programmer expects.
//! expect: method `verify_request` has 3 parameters but the declaration in trait `verify_request` has 2
//! expect: no field `sessions` on type `&ServerHandle`
//! expect: no field `wfile` on type `&mut Session`
//! expect: no method named `packet` found for mutable reference `&mut R`
//! expect: no method named `ip` found for reference `&<R as socketserver::Request>::Address`
//! expect: cannot index into a value of type `&std::net::SocketAddr`
//! expect: expected `SocketAddr`, found `(_, _)`
//! expect: expected `SocketAddr`, found `&SocketAddr`
//! expect: expected `&SocketAddr`, found `&SocketAddress`
//! expect: is not a service for requests of type `StreamRequest<TcpStream>`
//! expect: the trait bound `Option<Duration>: From<{integer}>` is not satisfied
//! expect: no method named `timeout` found for struct `Server<T, S, M>`
//! expect: no method named `max_children` found for struct `ServerOptions<T, S, M>`
//! expect: attempted to take value of method `serve_forever` on type `Server<
//! expect: multiple applicable items in scope
//! expect: expected `&[u8]`, found `&str`
//! expect: `?` couldn't convert the error: `Vec<u8>: std::error::Error` is not satisfied
//! expect: `?` couldn't convert the error: `std::sync::MutexGuard<'_, u32>: Send` is not satisfied
//! expect: `Session` does not handle requests of type `DatagramRequest<UdpSocket>`
//! expect: expected `RunningServer<Tcp, {closure@...}, ...>`, found `RunningServer<Udp, {closure@...}, ...>`
//! expect: mismatched types
//! expect: expected `Result<(), Box<dyn Error + Send + Sync>>`, found `()`
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use socketserver::prelude::*;

struct Session;

impl RequestHandler<TcpRequest> for Session {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        request.server().sessions.clear();
        self.wfile.write_all(b"hello")?;
        let host = request.client_address()[0];
        let (host, port): SocketAddr = *request.client_address();
        request.set_timeout(5)?;
        request.by_ref().take(10).read_to_end(&mut Vec::new())?;
        request.write_all("hello")?;
        let size = u32::from_be_bytes(request.read_exactly(4)?.try_into()?);
        Ok(())
    }
}

struct Packet;

impl<R: Request> RequestHandler<R> for Packet {
    fn handle(&mut self, request: &mut R) -> Result {
        let data = request.packet();
        let host = request.client_address().ip();
        Ok(())
    }
}

struct Guard {
    visits: Mutex<u32>,
}

impl Service<TcpRequest> for Guard {
    type Handler = Session;

    fn request_handler(self: &Arc<Self>) -> Session {
        Session
    }

    fn verify_request(&self, request: &TcpRequest, address: &SocketAddr) -> bool {
        true
    }
}

fn remember(visits: &mut HashMap<SocketAddr, u32>, request: &TcpRequest, report: &DrainReport) {
    visits.insert(request.client_address(), 1);
    visits.remove(report.force_closed[0].client_address());
}

fn count(guard: &Guard, request: &mut TcpRequest) -> Result {
    *guard.visits.lock()? += 1;
    Ok(())
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", || Session)?.timeout(5);
    ForkingTcpServer::options().max_children(5);
    UdpServer::bind("127.0.0.1:0", || Session)?;
    TcpServer::bind("127.0.0.1:0", handler_fn(|request: &mut UdpRequest| Ok(())))?;
    let server = TcpServer::bind("127.0.0.1:0", || Session)?;
    std::thread::spawn(server.serve_forever);
    let tcp = TcpServer::bind("127.0.0.1:0", || Packet)?.spawn()?;
    let udp = UdpServer::bind("127.0.0.1:0", || Packet)?.spawn()?;
    let servers = vec![tcp, udp];
    handler_fn(|request: &mut TcpRequest| {
        request.send_all("bye\n")?;
    });
}
