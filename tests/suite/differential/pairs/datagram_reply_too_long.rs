use crate::differential::server::*;

fn repeat(request: &mut UdpRequest) -> Result {
    let times = std::str::from_utf8(request.packet())?.parse()?;
    Ok(request.send_all(b"x".repeat(times))?)
}

pair!(serve(UdpServer::bind(host(), handler_fn(repeat))?));
