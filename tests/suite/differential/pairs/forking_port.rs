use crate::differential::server::*;

fn echo(request: &mut TcpRequest) -> Result {
    println!("serving");
    let line = request.readline(100)?;
    Ok(request.send_all(&line)?)
}

fn main() -> Result {
    let server = TcpServer::bind(host(), handler_fn(echo))?;
    let server = server.strategy(forking()).block_on_close(false);
    announce(&server);
    let address = *server.server_address();
    server.handle_request()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.server_close();
    println!("closed");
    if let Err(error) = TcpServer::bind(address, LineEcho::default) {
        println!("{error}");
    }
    println!("tried again");
    Ok(())
}

pair!(main());
