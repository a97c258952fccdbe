use crate::differential::server::*;
use socketserver::UnixAddress;

fn forward(request: &mut UnixDatagramRequest) -> Result {
    let other = UnixAddress::Path(std::str::from_utf8(request.packet())?.into());
    let hello = format!("hello from {}", request.client_address());
    request.send_to(hello.as_bytes(), &other)?;
    Ok(request.send_to(b"done", request.client_address())?)
}

pair!(serve(UnixDatagramServer::bind(path(), handler_fn(forward))?));
