use crate::differential::server::*;

pair!(serve(TcpServer::bind(host(), LineEcho::default)?));
