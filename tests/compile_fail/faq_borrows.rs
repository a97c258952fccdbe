//! Borrows and moves in handlers, and in programs that run servers.
//! expect: cannot borrow `*request` as mutable because it is also borrowed as immutable
//! expect: cannot borrow `names` as mutable, as it is a captured variable in a `Fn` closure
//! expect: closure may outlive the current function, but it borrows `greeting`
//! expect: borrowed data escapes outside of closure
//! expect: use of moved value: `request`
//! expect: borrow of moved value: `request`
//! expect: cannot move out of `self.server` which is behind a mutable reference
//! expect: cannot borrow data in an `Arc` as mutable
//! expect: cannot assign to `self.visits`, which is behind a `&` reference
//! expect: borrow of moved value: `server`
use std::collections::HashMap;
use std::io::{BufReader, BufWriter};
use std::sync::Arc;

use socketserver::prelude::*;

struct Rooms {
    members: HashMap<u32, Sender>,
    visits: u32,
}

impl Service<TcpRequest> for Rooms {
    type Handler = Member;

    fn request_handler(self: &Arc<Self>) -> Member {
        Member {
            rooms: Arc::clone(self),
        }
    }

    fn service_actions(&self) {
        self.visits += 1;
    }
}

struct Member {
    rooms: Arc<Rooms>,
}

impl RequestHandler<TcpRequest> for Member {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        self.rooms.members.insert(1, request.sender());
        Ok(())
    }
}

struct Program {
    server: Running<TcpServer<Rooms>>,
}

impl Program {
    fn stop(&mut self) -> Result {
        self.server.stop()?;
        Ok(())
    }
}

fn wrapped(request: &mut TcpRequest) -> Result {
    let mut reader = BufReader::new(request);
    reader.read_line(&mut String::new())?;
    Ok(request.send_all("hello\n")?)
}

fn wrapped_twice(request: &mut TcpRequest) -> Result {
    let _reader = BufReader::new(request);
    let _writer = BufWriter::new(request);
    Ok(())
}

fn main() -> Result {
    handler_fn(|request: &mut TcpRequest| {
        let client = request.client_address();
        let line = request.readline(100)?;
        Ok(writeln!(request, "{client} {}", line.len())?)
    });

    let mut names = Vec::new();
    handler_fn(move |request: &mut TcpRequest| {
        names.push(request.readline(100)?);
        Ok(())
    });

    let greeting = String::from("hello\n");
    handler_fn(|request: &mut TcpRequest| Ok(request.send_all(&greeting)?));

    handler_fn(|request: &mut TcpRequest| {
        std::thread::spawn(move || request.send_all("later\n"));
        Ok(())
    });

    let server = TcpServer::bind("127.0.0.1:0", handler_fn(wrapped))?;
    server.grace_period(std::time::Duration::ZERO);
    server.serve_forever()?;
    Ok(())
}
