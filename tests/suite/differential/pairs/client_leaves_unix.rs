use crate::differential::server::*;

fn slow(request: &mut UnixStreamRequest) -> Result {
    let line = request.readline(100)?;
    println!("waiting");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    request.send_all(&line)?;
    println!("never printed");
    Ok(())
}

pair!(serve(UnixStreamServer::bind(path(), handler_fn(slow))?));
