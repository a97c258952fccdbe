use crate::differential::server::*;

fn lines(request: &mut TcpRequest) -> Result {
    while let Some(line) = request.next_line(100)? {
        println!("served b'{}'", line.escape_ascii());
        request.send_all(&line)?;
    }
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(lines))?));
