//! A UDP server that answers with the size of each datagram, and adds `truncated` to a truncated
//! one. The Python counterpart is `python/datagram.py`.

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
        let mark = if request.truncated() {
            " truncated"
        } else {
            ""
        };
        let size = request.packet().len();
        Ok(write!(request, "{size}{mark}")?)
    });
    let mut options = UdpServer::options();
    if let Some(size) = arguments.max_packet_size {
        options = options.max_packet_size(size);
    }
    faults::run(options.bind(arguments.address.as_str(), measure)?)
}
