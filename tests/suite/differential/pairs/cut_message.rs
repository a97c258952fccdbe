use crate::differential::server::*;

fn eights(request: &mut TcpRequest) -> Result {
    while !request.fill_buf()?.is_empty() {
        let message = request.read_exactly(8)?;
        request.send_all(&message)?;
    }
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(eights))?));
