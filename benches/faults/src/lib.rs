//! Code shared by the servers: reports their life cycle to `compare.py` on the standard output.
//! The Python counterpart is `python/lifecycle.py`.

use std::io::{Write, stdout};

use socketserver::{BoxError, Server, Service, Strategy, Transport};

/// Serves until SIGTERM, then closes. Prints a line at each stage: listening, left, closed.
pub fn run<T, S, M>(server: Server<T, S, M>) -> Result<(), BoxError>
where
    T: Transport,
    S: Service<T::Request>,
    M: Strategy,
{
    server.shutdown_on_ctrl_c()?;
    report(&format!("listening on {}", server.server_address()))?;
    server.serve_forever()?;
    report("left")?;
    server.server_close();
    report("closed")
}

/// Prints a line and flushes it, because `compare.py` takes the time at which the line arrives.
fn report(line: &str) -> Result<(), BoxError> {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}
