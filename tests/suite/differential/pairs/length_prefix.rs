use crate::differential::server::*;

fn reverse(request: &mut TcpRequest) -> Result {
    while !request.fill_buf()?.is_empty() {
        let header = request.read_exactly(4)?;
        let size = u32::from_be_bytes(header[..].try_into()?);
        let mut message = request.read_exactly(size as usize)?;
        message.reverse();
        request.send_all([header, message].concat())?;
    }
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(reverse))?));
