use crate::differential::server::*;

fn once(request: &mut TcpRequest) -> Result {
    let data = request.recv(1024)?;
    println!("received b'{}'", data.escape_ascii());
    Ok(request.send_all(data.to_ascii_uppercase())?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(once))?));
