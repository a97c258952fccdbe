//! A TCP server, one request at a time, that sends back one line. One of its hooks fails for the
//! first client. The Python counterpart is `python/hooks.py`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, ValueEnum};
use socketserver::prelude::*;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    address: String,
    #[arg(long, value_enum)]
    fail_in: Hook,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Hook {
    VerifyRequest,
    HandleError,
}

struct Hooks {
    fail_in: Hook,
    first: AtomicBool,
}

impl Service<TcpRequest> for Hooks {
    type Handler = Echo;

    fn request_handler(self: &Arc<Self>) -> Echo {
        Echo {
            fails: self.fail_in == Hook::HandleError && self.first.swap(false, Ordering::Relaxed),
        }
    }

    fn verify_request(&self, _: &TcpRequest) -> bool {
        let first =
            self.fail_in == Hook::VerifyRequest && self.first.swap(false, Ordering::Relaxed);
        assert!(!first, "failure in verify_request");
        true
    }

    fn handle_error(&self, _: &mut TcpRequest, _: &HandlerError) {
        assert!(self.fail_in != Hook::HandleError, "failure in handle_error");
    }
}

struct Echo {
    fails: bool,
}

impl RequestHandler<TcpRequest> for Echo {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        if self.fails {
            return Err("failure in the handler".into());
        }
        let line = request.readline(1000)?;
        Ok(request.send_all(line)?)
    }
}

fn main() -> Result {
    let arguments = Arguments::parse();
    let hooks = Hooks {
        fail_in: arguments.fail_in,
        first: AtomicBool::new(true),
    };
    faults::run(TcpServer::bind(arguments.address.as_str(), hooks)?)
}
