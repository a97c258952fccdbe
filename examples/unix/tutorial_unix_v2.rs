// The program of `examples/tutorial_unix_v2.rs`.

mod common;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

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
    let path = address("tutorial.sock");
    let options = UnixStreamServer::options().replace_stale(true);
    let server = options.activate(false).bind(&path, || Answer)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    server.server_activate()?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
