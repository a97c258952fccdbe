use crate::differential::server::*;

pair!(serve(TcpServer::bind(host(), handler_fn(echo_lines::<TcpRequest>))?));
