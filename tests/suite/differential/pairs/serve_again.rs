use crate::differential::server::*;

fn stop(request: &mut TcpRequest) -> Result {
    let line = request.readline(100)?;
    if line == b"stop\n" {
        request.server().shutdown();
    }
    Ok(request.send_all(&line)?)
}

fn main() -> Result {
    let server = ThreadingTcpServer::bind(host(), handler_fn(stop))?;
    announce(&server);
    server.serve_forever()?;
    println!("stopped");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.serve_forever()?;
    println!("stopped");
    Ok(())
}

pair!(main());
