use crate::differential::server::*;
use std::io::{Error, ErrorKind};

fn fails(_: &mut TcpRequest) -> Result {
    Err(Error::new(ErrorKind::ConnectionReset, "the database is gone").into())
}

pair!(serve(TcpServer::bind(host(), handler_fn(fails))?));
