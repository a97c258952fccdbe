use crate::differential::server::*;

fn echo(request: &mut TcpRequest) -> Result {
    let line = request.readline(100)?;
    println!("served");
    Ok(request.send_all(&line)?)
}

fn main() -> Result {
    let server = TcpServer::bind(host(), handler_fn(echo))?;
    // Python waits without a limit.
    let server = server.strategy(strategy()).stop_as_python();
    announce(&server);
    server.handle_request()?;
    println!("closing");
    server.server_close();
    println!("closed");
    Ok(())
}

pair!(main());
