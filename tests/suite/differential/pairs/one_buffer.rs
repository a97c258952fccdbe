use crate::differential::server::*;

fn mixed(request: &mut TcpRequest) -> Result {
    let line = request.readline(10_000)?;
    request.send_all(&line)?;
    let rest = request.recv(1024)?;
    Ok(request.send_all(&rest)?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(mixed))?));
