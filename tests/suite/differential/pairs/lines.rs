use crate::differential::server::*;

fn lines(request: &mut TcpRequest) -> Result {
    while let Some(mut line) = request.next_line(10_000)? {
        line.pop_if(|last| *last == b'\n');
        request.send_all([b"<", &line[..], b">\n"].concat())?;
    }
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(lines))?));
