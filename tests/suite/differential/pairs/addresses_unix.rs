use crate::differential::server::*;

fn tell(request: &mut UnixStreamRequest) -> Result {
    let client = request.client_address().to_python();
    Ok(writeln!(request, "({client})")?)
}

pair!(serve(UnixStreamServer::bind(path(), handler_fn(tell))?));
