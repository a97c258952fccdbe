//! Measures an echo server of `socketserver` beside small C servers and CPython.
//!
//! Every server of a workload runs in every round, one after the other, so that what the
//! machine does meanwhile meets all of them; what counts is the ratio within a round.
//! `README.md` says what the workloads are and what their figures cannot tell.

use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::cpu::CpuTimes;
use crate::meter::{Meter, Window};
use crate::runner::RunOptions;
use crate::workload::{Shape, Workload};

mod cpu;
mod load;
mod meter;
mod payload;
mod peer;
mod pinning;
mod report;
mod runner;
mod server_process;
mod workload;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Echo servers side by side: socketserver, C and CPython")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ping-pong on many open TCP connections
    Messages(RunOptions),
    /// TCP connections that are opened, used once and closed
    Churn(RunOptions),
    /// The same, with a process for each connection
    Fork(RunOptions),
    /// A window of UDP datagrams on their way
    Udp(RunOptions),
    /// One UDP datagram on its way
    UdpPingpong(RunOptions),
    /// All workloads
    All(RunOptions),
    /// Drive a server that already runs, for a profiler to look at
    Load {
        workload: Workload,
        address: SocketAddrV4,
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        #[command(flatten)]
        shape: Shape,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result {
    match command {
        Command::Messages(options) => runner::run(&[Workload::Messages], &options),
        Command::Churn(options) => runner::run(&[Workload::Churn], &options),
        Command::Fork(options) => runner::run(&[Workload::Fork], &options),
        Command::Udp(options) => runner::run(&[Workload::Udp], &options),
        Command::UdpPingpong(options) => runner::run(&[Workload::UdpPingpong], &options),
        Command::All(options) => runner::run(&Workload::ALL, &options),
        Command::Load {
            workload,
            address,
            seconds,
            shape,
        } => {
            let window = Window {
                warm_up: Duration::ZERO,
                measure: Duration::from_secs_f64(seconds),
            };
            // Whose processor time it would be is not known here.
            let meter = Meter::new(window, &|| Ok(CpuTimes::default()));
            let sample = workload.load(&shape, address, meter)?;
            println!("{sample:#?}");
            Ok(())
        }
    }
}
