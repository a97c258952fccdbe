use crate::server::*;

pair!(serve(UdpServer::bind(host(), LineEcho::default)?));
