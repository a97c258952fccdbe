//! An option that this server does not have.
//! expect: this option is for servers with connections: TCP and Unix stream sockets
//! expect: datagrams do not queue up to be accepted: leave it out
//! expect: this option is for datagram servers: UDP and Unix datagram sockets
//! expect: a stream has no packets: each `request.recv(size)` says how much it takes
//! expect: this option is for TCP and UDP servers
//! expect: Unix sockets do not have it: leave it out
//! expect: set `replace_stale(true)`
//! expect: this option is for servers of Unix sockets
//! expect: it is about the file of a Unix socket: leave it out
//! expect: - `ServerOptions<Tcp, S, M>`
//! expect: - `Server<T, S, Forking>`
use socketserver::prelude::*;

struct MyHandler;

impl<R: Request> RequestHandler<R> for MyHandler {
    fn handle(&mut self, request: &mut R) -> Result {
        Ok(request.send_all(b"hello\n")?)
    }
}

fn main() -> Result {
    UdpServer::options().request_queue_size(5).bind("127.0.0.1:0", || MyHandler)?;
    TcpServer::options().max_packet_size(8192).bind("127.0.0.1:0", || MyHandler)?;
    UnixStreamServer::options().allow_reuse_port(true).bind("/run/my.sock", || MyHandler)?;
    UnixStreamServer::options().allow_reuse_address(true).bind("/run/my.sock", || MyHandler)?;
    UdpServer::options().disable_nagle_algorithm(true).bind("127.0.0.1:0", || MyHandler)?;
    UnixStreamServer::options().defer_accept(None).bind("/run/my.sock", || MyHandler)?;
    TcpServer::options().replace_stale(true).bind("127.0.0.1:0", || MyHandler)?;
    ThreadingTcpServer::bind("127.0.0.1:0", || MyHandler)?.max_children(10);
    Ok(())
}
