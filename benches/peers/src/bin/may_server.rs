//! TCP echo with may, a stackful coroutine per connection: `may_server WORKERS`.

use std::io::{self, Read, Write};

use may::net::{TcpListener, TcpStream};
use peer_listener::BUFFER_SIZE;

fn echo(mut connection: TcpStream) -> io::Result<()> {
    // Allocated on the heap, because a stack of may is smaller than the buffer.
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let received = connection.read(&mut buffer)?;
        if received == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..received])?;
    }
}

fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    peer_listener::announce(listener.inner())?;
    loop {
        let (connection, _) = listener.accept()?;
        may::go!(move || echo(connection));
    }
}

fn main() -> io::Result<()> {
    let config = may::config();
    config.set_workers(peer_listener::workers());
    // Keeps the workers on the core that the runner has chosen.
    config.set_worker_pin(false);
    may::go!(serve).join().expect("`serve` does not panic")
}
