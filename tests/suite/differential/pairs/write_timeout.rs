use crate::differential::server::*;

fn talk(request: &mut TcpRequest) -> Result {
    let written = request.send_all(vec![b'x'; 100_000_000]);
    println!("timed out");
    Ok(written?)
}

fn main() -> Result {
    let options = TcpServer::options().timeout(Duration::from_millis(100));
    serve(options.bind(host(), handler_fn(talk))?)
}

pair!(main());
