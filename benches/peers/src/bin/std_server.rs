//! TCP echo with `std::net`, a thread per connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use peer_listener::BUFFER_SIZE;

fn echo(mut connection: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let received = connection.read(&mut buffer)?;
        if received == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..received])?;
    }
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    peer_listener::announce(&listener)?;
    loop {
        let (connection, _) = listener.accept()?;
        thread::Builder::new().spawn(|| echo(connection))?;
    }
}
