//! A server is closed or moved while it serves: `server.handle().shutdown()` stops it.
//! expect: cannot move out of `server` because it is borrowed
use socketserver::prelude::*;

struct MyHandler;

impl RequestHandler<TcpRequest> for MyHandler {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    let server = TcpServer::bind("127.0.0.1:0", || MyHandler)?;
    std::thread::scope(|scope| {
        scope.spawn(|| server.serve_forever());
        server.server_close();
    });
    Ok(())
}
