use crate::differential::server::*;

fn count(request: &mut UnixStreamRequest) -> Result {
    let size = request.read_to_end(&mut Vec::new())?;
    Ok(writeln!(request, "{size} bytes")?)
}

pair!(serve(UnixStreamServer::bind(path(), handler_fn(count))?));
