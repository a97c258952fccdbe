use crate::differential::server::*;

fn echo(request: &mut TcpRequest) -> Result {
    println!("serving");
    let line = request.readline(100)?;
    request.send_all(&line)?;
    println!("never printed");
    Ok(())
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(host(), handler_fn(echo))?.block_on_close(false);
    server.shutdown_on_ctrl_c()?;
    announce(&server);
    server.serve_forever()?;
    println!("bye");
    Ok(())
}

pair!(main());
