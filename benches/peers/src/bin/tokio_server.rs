//! TCP echo with tokio, a task per connection: `tokio_server WORKERS`. With 0 workers it uses the
//! current-thread runtime.

use std::io;

use peer_listener::BUFFER_SIZE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

async fn echo(mut connection: TcpStream) -> io::Result<()> {
    // `read_buf` fills the reserved capacity, so the buffer need not be zeroed.
    let mut buffer = Vec::with_capacity(BUFFER_SIZE);
    while connection.read_buf(&mut buffer).await? > 0 {
        connection.write_all(&buffer).await?;
        buffer.clear();
    }
    Ok(())
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    peer_listener::announce(&listener)?;
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(echo(connection));
    }
}

fn main() -> io::Result<()> {
    let runtime = match peer_listener::workers() {
        0 => Builder::new_current_thread().enable_io().build()?,
        workers => Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_io()
            .build()?,
    };
    // Spawned as a task, because `block_on` runs its future outside the worker threads.
    runtime.block_on(async { tokio::spawn(serve()).await? })
}
