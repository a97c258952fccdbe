use crate::differential::server::*;

fn main() -> Result {
    let exits = handler_fn(|_: &mut TcpRequest| Err("exit 3".into()));
    let server = TcpServer::bind(host(), exits)?;
    announce(&server);
    server.handle_request()?;
    println!("served");
    Ok(())
}

pair!(main());
