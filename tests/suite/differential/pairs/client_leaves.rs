use crate::differential::server::*;

fn slow(request: &mut TcpRequest) -> Result {
    let line = request.readline(100)?;
    println!("waiting");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    for _ in 0..100_000 {
        request.send_all(&line)?;
    }
    println!("never printed");
    Ok(())
}

pair!(serve(TcpServer::bind(host(), handler_fn(slow))?));
