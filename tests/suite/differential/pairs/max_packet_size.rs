use crate::differential::server::*;

fn main() -> Result {
    let options = UdpServer::options().max_packet_size(5);
    serve(options.bind(host(), LineEcho::default)?)
}

pair!(main());
