//! A TCP server that sends back each line. The Python counterpart is `python/echo.py`.
//!
//! Some lines are commands: `stop` calls `shutdown` in the handler, `work SECONDS` is answered
//! after that time, `bye` makes the server close the connection.

use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use socketserver::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    address: String,
    #[arg(long, value_enum, default_value_t = StrategyName::Threading)]
    strategy: StrategyName,
    /// Timeout of a read, in seconds
    #[arg(long)]
    timeout: Option<f64>,
    /// `request_queue_size`
    #[arg(long)]
    queue: Option<u32>,
    /// Time that a close waits for requests, in seconds
    #[arg(long)]
    grace: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum StrategyName {
    Sequential,
    Threading,
    Coroutines,
}

struct Echo;

impl RequestHandler<TcpRequest> for Echo {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while let Some(line) = request.next_line(1000)? {
            let text = String::from_utf8_lossy(&line);
            match text.trim_end().split_once(' ') {
                Some(("work", seconds)) => {
                    thread::sleep(Duration::from_secs_f64(seconds.parse()?));
                }
                _ if text == "stop\n" => request.server().shutdown(),
                _ if text == "bye\n" => break,
                _ => {}
            }
            request.send_all(&line)?;
        }
        Ok(())
    }
}

fn main() -> Result {
    let arguments = Arguments::parse();
    let mut options = TcpServer::options().timeout(arguments.timeout.map(Duration::from_secs_f64));
    if let Some(queue) = arguments.queue {
        options = options.request_queue_size(queue);
    }
    let strategy: Box<dyn Strategy> = match arguments.strategy {
        StrategyName::Sequential => Box::new(Sequential),
        StrategyName::Threading => Box::new(Threading::new()),
        StrategyName::Coroutines => Box::new(Coroutines::new()),
    };
    let mut server = options
        .bind(arguments.address.as_str(), || Echo)?
        .strategy(strategy);
    if let Some(grace) = arguments.grace {
        server = server.grace_period(Duration::from_secs_f64(grace));
    }
    faults::run(server)
}
