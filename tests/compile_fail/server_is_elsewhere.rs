//! A server is used after it was moved. Its `handle()` and the result of `spawn` have the methods that are
//! needed afterwards.
//! expect: `Server::<T, S, M>::spawn` takes ownership of the receiver `self`, which moves `server`
//! expect: `Server::<T, S, M>::server_close` takes ownership of the receiver `self`, which moves `server`
//! expect: value moved into closure here
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn spawned() -> Result {
    let server = TcpServer::bind("127.0.0.1:0", || MyHandler)?;
    let _running = server.spawn()?;
    server.shutdown();
    Ok(())
}

fn closed() -> Result {
    let server = TcpServer::bind("127.0.0.1:0", || MyHandler)?;
    server.server_close();
    server.serve_forever()?;
    Ok(())
}

fn in_a_thread() -> Result {
    let server = TcpServer::bind("127.0.0.1:0", || MyHandler)?;
    std::thread::spawn(move || server.serve_forever());
    server.shutdown();
    Ok(())
}

fn main() {}
