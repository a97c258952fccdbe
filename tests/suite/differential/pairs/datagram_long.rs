use crate::differential::server::*;

fn count(request: &mut UdpRequest) -> Result {
    let size = request.packet().len();
    Ok(write!(request, "{size} bytes")?)
}

pair!(serve(UdpServer::bind(host(), handler_fn(count))?));
