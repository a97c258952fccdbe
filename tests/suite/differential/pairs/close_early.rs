use crate::differential::server::*;

fn end(request: &mut TcpRequest) -> Result {
    let line = request.readline(100)?;
    request.send_all(&line)?;
    request.close();
    println!("then b'{}'", request.readline(100)?.escape_ascii());
    println!("still here");
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(end))?));
