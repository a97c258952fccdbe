use crate::differential::server::*;

fn main() -> Result {
    {
        let server = TcpServer::bind(host(), LineEcho::default)?;
        announce(&server);
        server.handle_request()?;
    }
    println!("closed");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

pair!(main());
