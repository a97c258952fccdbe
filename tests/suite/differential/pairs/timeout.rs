use crate::differential::server::*;

fn main() -> Result {
    let options = TcpServer::options().timeout(Duration::from_millis(100));
    serve(options.bind(host(), LineEcho::default)?)
}

pair!(main());
