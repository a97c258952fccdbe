//! The echo server of this crate, started by the runner:
//!
//! ```text
//! echo_server tcp|udp STRATEGY [WORKERS]
//! ```
//!
//! A separate executable without a command-line parser, because each fork copies the memory of the
//! process. The C peers are separate executables too.

use nix::sys::prctl;
use nix::sys::signal::Signal;
use socketserver::{
    BoxError, Coroutines, Forking, Request as _, Sequential, Strategy, TcpRequest, TcpServer,
    ThreadPool, Threading, UdpRequest, UdpServer, handler_fn,
};

const BUFFER_SIZE: usize = 64 * 1024;

fn tcp(request: &mut TcpRequest) -> socketserver::Result {
    loop {
        let data = request.recv(BUFFER_SIZE)?;
        if data.is_empty() {
            return Ok(());
        }
        request.send_all(&data)?;
    }
}

fn udp(request: &mut UdpRequest) -> socketserver::Result {
    request.send_to(request.packet(), request.client_address())?;
    Ok(())
}

fn main() -> Result<(), BoxError> {
    // The kernel kills this process when the runner is killed.
    prctl::set_pdeathsig(Signal::SIGKILL)?;

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [transport, strategy, workers @ ..] = &arguments[..] else {
        return Err("usage: echo_server tcp|udp STRATEGY [WORKERS]".into());
    };
    let workers = workers.first().map_or(Ok(4), |workers| workers.parse())?;
    let strategy: Box<dyn Strategy> = match strategy.as_str() {
        "coroutines" => Box::new(Coroutines::new().workers(workers)),
        "forking" => Box::new(Forking::new()),
        "sequential" => Box::new(Sequential),
        "threading" => Box::new(Threading::new()),
        "thread-pool" => Box::new(ThreadPool::new(workers)),
        _ => return Err(format!("unknown strategy {strategy}").into()),
    };
    match transport.as_str() {
        "tcp" => {
            let server = TcpServer::bind("127.0.0.1:0", handler_fn(tcp))?.strategy(strategy);
            println!("listening on {}", server.server_address());
            server.serve_forever()?;
        }
        "udp" => {
            let server = UdpServer::bind("127.0.0.1:0", handler_fn(udp))?.strategy(strategy);
            println!("listening on {}", server.server_address());
            server.serve_forever()?;
        }
        _ => return Err(format!("unknown transport {transport}").into()),
    }
    Ok(())
}
