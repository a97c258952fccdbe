use crate::differential::server::*;

fn count(request: &mut UdpRequest) -> Result {
    let first = request.readline(10_000)?.len();
    write!(request, "{first} bytes, ")?;
    let rest = request.read_to_end(&mut Vec::new())?;
    Ok(writeln!(request, "and {rest}")?)
}

pair!(serve(UdpServer::bind(host(), handler_fn(count))?));
