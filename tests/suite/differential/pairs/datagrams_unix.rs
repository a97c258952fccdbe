use crate::differential::server::*;

fn count(request: &mut UnixDatagramRequest) -> Result {
    let size = request.packet().len();
    Ok(write!(request, "{size} bytes")?)
}

pair!(serve(UnixDatagramServer::bind(path(), handler_fn(count))?));
