//! The echo server of this crate, as the runner starts it: `peers echo`.
//!
//! It is a command of the runner rather than an executable of its own because `cargo run`
//! builds one executable only.

use clap::ValueEnum;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use socketserver::{
    Forking, Request as _, Sequential, Strategy, TcpRequest, TcpServer, ThreadPool, Threading,
    UdpRequest, UdpServer, handler_fn,
};

use crate::Result;

const BUFFER_SIZE: usize = 64 * 1024;

pub struct EchoOptions {
    transport: Transport,
    strategy: StrategyName,
    /// Threads of the thread pool.
    workers: usize,
}

impl EchoOptions {
    /// Takes `--transport T --strategy S [--workers N]` apart, without the parser that the rest of
    /// this program has: what that leaves behind in memory would be copied by every fork, and C has
    /// nothing like it.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            transport: Transport::Tcp,
            strategy: StrategyName::Sequential,
            workers: 4,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            match name.as_str() {
                "--transport" => options.transport = Transport::from_str(&value, false)?,
                "--strategy" => options.strategy = StrategyName::from_str(&value, false)?,
                "--workers" => options.workers = value.parse()?,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        Ok(options)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StrategyName {
    Forking,
    Sequential,
    Threading,
    ThreadPool,
}

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
    // Python: `data, socket = self.request; socket.sendto(data, self.client_address)`.
    request.send_to(request.packet(), request.client_address())?;
    Ok(())
}

/// Serve until killed.
pub fn serve(options: &EchoOptions) -> Result {
    // A runner that is killed cannot clean up; the kernel then does.
    prctl::set_pdeathsig(Signal::SIGKILL)?;

    let strategy: Box<dyn Strategy> = match options.strategy {
        StrategyName::Forking => Box::new(Forking::new()),
        StrategyName::Sequential => Box::new(Sequential),
        StrategyName::Threading => Box::new(Threading::new()),
        StrategyName::ThreadPool => Box::new(ThreadPool::new(options.workers)),
    };
    match options.transport {
        Transport::Tcp => {
            let server = TcpServer::bind("127.0.0.1:0", handler_fn(tcp))?.strategy(strategy);
            println!("listening on {}", server.server_address());
            server.serve_forever()?;
        }
        Transport::Udp => {
            let server = UdpServer::bind("127.0.0.1:0", handler_fn(udp))?.strategy(strategy);
            println!("listening on {}", server.server_address());
            server.serve_forever()?;
        }
    }
    Ok(())
}
