use crate::server::*;

fn pieces(request: &mut TcpRequest) -> Result {
    while let Some(piece) = request.next_line(5)? {
        request.send_all([b"<", &piece[..], b">"].concat())?;
    }
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(pieces))?));
