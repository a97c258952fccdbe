use crate::differential::server::*;

fn main() -> Result {
    let server = UnixStreamServer::bind(path(), LineEcho::default)?;
    announce(&server);
    server.handle_request()?;
    server.server_close();
    println!("closed");
    let _second = UnixStreamServer::bind(path(), LineEcho::default)?;
    Ok(())
}

pair!(main());
