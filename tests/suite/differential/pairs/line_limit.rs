use crate::differential::server::*;

fn pieces(request: &mut TcpRequest) -> Result {
    loop {
        let piece = request.readline(5)?;
        if piece.is_empty() {
            return Ok(());
        }
        request.send_all([b"<", &piece[..], b">"].concat())?;
    }
}

pair!(serve(TcpServer::bind(host(), handler_fn(pieces))?));
