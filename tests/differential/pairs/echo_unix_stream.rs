use crate::server::*;

pair!(serve(UnixStreamServer::bind(path(), LineEcho::default)?));
