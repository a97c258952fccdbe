use crate::server::*;

pair!(serve(UnixDatagramServer::bind(path(), LineEcho::default)?));
