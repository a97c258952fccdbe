use crate::differential::server::*;

pair!(serve(UnixStreamServer::bind(path(), LineEcho::default)?));
