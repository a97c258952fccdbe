use crate::differential::server::*;

fn main() -> Result {
    let server = TcpServer::bind(host(), LineEcho::default)?;
    announce(&server);
    server.serve_forever()?;
    println!("never printed");
    Ok(())
}

pair!(main());
