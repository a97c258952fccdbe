//! A UDP server that answers with the size of what it got, and with `cut` if it was told that
//! there was more. Twin: `python/datagram.py`.

use clap::Parser;
use socketserver::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    address: String,
    #[arg(long)]
    max_packet_size: Option<usize>,
}

fn main() -> Result {
    let arguments = Arguments::parse();
    let measure = handler_fn(|request: &mut UdpRequest| {
        let sign = if request.truncated() { " cut" } else { "" };
        let size = request.packet().len();
        Ok(write!(request, "{size}{sign}")?)
    });
    let mut options = UdpServer::options();
    if let Some(size) = arguments.max_packet_size {
        options = options.max_packet_size(size);
    }
    faults::run(options.bind(arguments.address.as_str(), measure)?)
}
