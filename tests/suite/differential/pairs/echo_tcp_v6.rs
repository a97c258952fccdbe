use crate::differential::server::*;

fn echo(request: &mut TcpRequest) -> Result {
    println!("{}", request.client_address().to_python());
    let line = request.readline(10_000)?;
    if line == b"\n" {
        return Err("an empty line".into());
    }
    Ok(request.send_all(&line)?)
}

pair!(serve(TcpServer::bind("[::1]:0", handler_fn(echo))?));
