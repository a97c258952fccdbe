use crate::differential::server::*;

fn main() -> Result {
    let server = ThreadingTcpServer::bind(host(), LineEcho::default)?;
    announce(&server);
    let server = server.spawn()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop()?;
    println!("stopped");
    Ok(())
}

pair!(main());
