use crate::differential::server::*;

fn fails(request: &mut UnixStreamRequest) -> Result {
    request.readline(100)?;
    request.send_all(b"half of ")?;
    Err("the other half is missing".into())
}

pair!(serve(UnixStreamServer::bind(path(), handler_fn(fails))?));
