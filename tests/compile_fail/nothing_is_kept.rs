//! Values that have to be kept or checked, and are dropped.
//! expect: dropping it stops the server at once: keep it for as long as the server should run
//! expect: a bound server serves nothing until serve_forever(), handle_request() or spawn()
//! expect: options do nothing until `bind`
//! expect: this `Result` may be an `Err` variant, which should be handled
#![deny(unused_must_use)]
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    TcpServer::bind("127.0.0.1:0", || MyHandler)?;
    TcpServer::bind("127.0.0.1:0", || MyHandler)?.grace_period(std::time::Duration::ZERO);
    ThreadingTcpServer::bind("127.0.0.1:0", || MyHandler)?.spawn()?;
    ThreadingTcpServer::bind("127.0.0.1:0", || MyHandler)?.serve_forever();
    TcpServer::<fn() -> MyHandler>::options().request_queue_size(5);
    Ok(())
}
