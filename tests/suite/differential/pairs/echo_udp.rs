use crate::differential::server::*;

pair!(serve(UdpServer::bind(host(), LineEcho::default)?));
