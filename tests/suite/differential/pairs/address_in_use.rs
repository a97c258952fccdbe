use crate::differential::server::*;

fn main() -> Result {
    let first = TcpServer::bind(host(), LineEcho::default)?;
    announce(&first);
    let _second = TcpServer::bind(first.server_address(), LineEcho::default)?;
    println!("never printed");
    Ok(())
}

pair!(main());
