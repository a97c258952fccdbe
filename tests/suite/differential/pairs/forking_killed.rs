use crate::differential::server::*;
use nix::sys::signal::{Signal, raise};

fn fragile(request: &mut TcpRequest) -> Result {
    let line = request.readline(100)?;
    request.send_all(&line)?;
    if line == b"die\n" {
        raise(Signal::SIGKILL)?;
    }
    Ok(request.send_all(b"well\n")?)
}

pair!(serve(
    TcpServer::bind(host(), handler_fn(fragile))?.strategy(forking())
));
