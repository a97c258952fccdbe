use crate::differential::server::*;

fn until_it_leaves(request: &mut TcpRequest) -> Result {
    loop {
        let data = request.recv(1024)?;
        if data.is_empty() {
            println!("left");
            return Ok(());
        }
        request.send_all(data.to_ascii_uppercase())?;
    }
}

pair!(serve(TcpServer::bind(host(), handler_fn(until_it_leaves))?));
