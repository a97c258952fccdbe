use crate::differential::server::*;

fn stop(request: &mut TcpRequest) -> Result {
    let line = request.readline(100)?;
    if line == b"stop\n" {
        request.server().shutdown();
    }
    Ok(request.send_all(&line)?)
}

fn main() -> Result {
    // As in Python, the close waits for running requests without a limit.
    let server = ThreadingTcpServer::bind(host(), handler_fn(stop))?.stop_as_python();
    announce(&server);
    server.serve_forever()?;
    println!("stopped");
    server.server_close();
    println!("closed");
    Ok(())
}

pair!(main());
