use crate::differential::server::*;

fn main() -> Result {
    announce(&TcpServer::bind(host(), LineEcho::default)?);
    let _server = TcpServer::bind("192.0.2.1:0", LineEcho::default)?;
    println!("never printed");
    Ok(())
}

pair!(main());
