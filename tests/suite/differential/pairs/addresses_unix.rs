use crate::differential::server::*;

fn show_addresses(request: &mut UnixStreamRequest) -> Result {
    let client = request.client_address().to_python();
    Ok(writeln!(request, "({client})")?)
}

pair!(serve(UnixStreamServer::bind(path(), handler_fn(show_addresses))?));
