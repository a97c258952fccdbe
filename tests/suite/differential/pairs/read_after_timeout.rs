use crate::differential::server::*;
use std::io::ErrorKind;

fn patient(request: &mut TcpRequest) -> Result {
    request.set_timeout(Duration::from_millis(100))?;
    match request.readline(10_000) {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            request.set_timeout(Duration::from_secs(60))?;
            request.send_all(b"still there?\n")?;
        }
        other => drop(other?),
    }
    let line = request.readline(10_000)?;
    Ok(request.send_all(&line)?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(patient))?));
