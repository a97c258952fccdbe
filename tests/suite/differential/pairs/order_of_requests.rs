use crate::differential::server::*;

fn echo(request: &mut TcpRequest) -> Result {
    let client = request.client_address().to_python();
    println!("serving {client}");
    let line = request.readline(100)?;
    request.send_all(&line)?;
    println!("served {client}");
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(echo))?));
