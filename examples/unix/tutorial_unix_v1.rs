// The program of `examples/tutorial_unix_v1.rs`.

mod common;

use std::io;

use common::{address, repr, with_ctime};
use socketserver::prelude::*;

struct Answer;

impl RequestHandler<UnixStreamRequest> for Answer {
    fn handle(&mut self, request: &mut UnixStreamRequest) -> Result {
        let data = request.recv(1024)?;
        let _ = writeln!(io::stdout(), "received {}", repr(&data));
        request.send_all(with_ctime(&data))?;
        Ok(())
    }
}

fn main() -> Result {
    let server = UnixStreamServer::bind(address("tutorial.sock"), || Answer)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
