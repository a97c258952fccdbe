use crate::differential::server::*;

fn main() -> Result {
    announce(&TcpServer::bind(host(), LineEcho::default)?);
    let server = TcpServer::bind("[::1]:0", LineEcho::default)?;
    if server.server_address().is_ipv6() {
        println!("IPv6");
    }
    Ok(())
}

pair!(main());
