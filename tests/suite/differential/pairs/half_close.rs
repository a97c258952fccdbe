use crate::differential::server::*;

fn count(request: &mut TcpRequest) -> Result {
    let size = request.read_to_end(&mut Vec::new())?;
    Ok(writeln!(request, "{size} bytes")?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(count))?));
