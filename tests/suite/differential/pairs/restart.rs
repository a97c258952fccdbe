use crate::differential::server::*;

fn main() -> Result {
    let server = TcpServer::bind(host(), LineEcho::default)?;
    announce(&server);
    let address = *server.server_address();
    server.handle_request()?;
    server.server_close();
    TcpServer::bind(address, LineEcho::default)?.server_close();
    println!("started again");
    Ok(())
}

pair!(main());
