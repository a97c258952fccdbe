use crate::differential::server::*;

fn main() -> Result {
    let server = TcpServer::bind(host(), LineEcho::default)?;
    server.shutdown_on_ctrl_c()?;
    announce(&server);
    server.serve_forever()?;
    println!("bye");
    Ok(())
}

pair!(main());
