use crate::differential::server::*;

fn lines(request: &mut TcpRequest) -> Result {
    println!("serving {}", request.client_address().to_python());
    echo_lines(request)
}

pair!(serve(TcpServer::bind(host(), handler_fn(lines))?));
