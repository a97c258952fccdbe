use crate::server::*;

pair!(serve(TcpServer::bind(host(), LineEcho::default)?));
