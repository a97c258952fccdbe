use crate::differential::server::*;
use socketserver::SocketAddress;

fn show_addresses(request: &mut TcpRequest) -> Result {
    let client = request.client_address().to_python();
    let SocketAddress::Inet(server) = request.server().server_address() else {
        return Err("not the address of a TCP server".into());
    };
    Ok(writeln!(request, "{client}, {}", server.to_python())?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(show_addresses))?));
