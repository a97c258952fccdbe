use crate::differential::server::*;

fn many(request: &mut TcpRequest) -> Result {
    let size: u32 = String::from_utf8(request.readline(100)?)?.trim().parse()?;
    let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
    Ok(request.send_all(&bytes)?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(many))?));
