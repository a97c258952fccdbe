// The program of `examples/tutorial_unix_client.rs`.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use common::{address, ask};
use socketserver::Result;

fn main() -> Result {
    let mut server = UnixStream::connect(address("tutorial.sock"))?;
    let line = ask(">>:")?;
    server.write_all(&line)?;
    // Marks the end of what the client sends. An empty line sends no bytes at all, and without this
    // mark the server would wait forever.
    server.shutdown(Shutdown::Write)?;

    let mut answer = [0; 1024];
    let size = server.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..size]);
    println!("Clinet recive data: {answer}");
    Ok(())
}
