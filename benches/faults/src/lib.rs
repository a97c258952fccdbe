//! What the servers have in common: how they tell `compare.py` where they are in their life. Their
//! twin is `python/life.py`.

use std::io::{Write, stdout};

use socketserver::{BoxError, Server, Service, Strategy, Transport};

/// Serves until SIGTERM, then closes; says each of these in a line.
pub fn run<T, S, M>(server: Server<T, S, M>) -> Result<(), BoxError>
where
    T: Transport,
    S: Service<T::Request>,
    M: Strategy,
{
    server.shutdown_on_ctrl_c()?;
    say(&format!("listening on {}", server.server_address()))?;
    server.serve_forever()?;
    say("left")?;
    server.server_close();
    say("closed")
}

/// At once, so that the time at which it arrives says something.
fn say(line: &str) -> Result<(), BoxError> {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}
