use crate::differential::server::*;

fn impatient(request: &mut TcpRequest) -> Result {
    recv_past_the_buffer(request.socket(), 1)?;
    Ok(request.send_all(b"bye\n")?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(impatient))?));
