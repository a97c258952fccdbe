use crate::differential::server::*;

fn echo(request: &mut UnixDatagramRequest) -> Result {
    let packet = request.packet().to_vec();
    println!("serving b'{}'", packet.escape_ascii());
    Ok(request.send_all(&packet)?)
}

pair!(serve(UnixDatagramServer::bind(path(), handler_fn(echo))?));
