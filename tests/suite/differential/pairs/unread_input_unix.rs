use crate::differential::server::*;

fn impatient(request: &mut UnixStreamRequest) -> Result {
    recv_past_the_buffer(request.socket(), 1)?;
    Ok(request.send_all(b"bye\n")?)
}

pair!(serve(UnixStreamServer::bind(path(), handler_fn(impatient))?));
