use crate::differential::server::*;

pair!(serve(UnixDatagramServer::bind(path(), LineEcho::default)?));
