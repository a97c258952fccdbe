use crate::differential::server::*;
use std::error::Error;
use std::fmt;

#[derive(Debug)]
struct NoNumber(BoxError);

impl fmt::Display for NoNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no number")
    }
}

impl Error for NoNumber {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

fn fails(_: &mut TcpRequest) -> Result {
    Err(NoNumber("it is x".into()).into())
}

pair!(serve(TcpServer::bind(host(), handler_fn(fails))?));
