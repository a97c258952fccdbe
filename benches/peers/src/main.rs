//! Measures echo servers of `socketserver` beside those of C, Rust, Go and Python.
//!
//! Every server of a workload runs in every round, one after the other, so that a disturbance of the
//! machine affects all of them. The result is the ratio within a round. `README.md` describes the
//! workloads, and `docs/reference/performance.md` the limits of their figures.

use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::meter::{Meter, Window};
use crate::options::RunOptions;
use crate::probe::Probe;
use crate::workload::{ShapeOptions, Workload};

mod contender;
mod cpu;
mod growth;
mod load;
mod memory;
mod meter;
mod options;
mod payload;
mod peer;
mod pinning;
mod probe;
mod report;
mod runner;
mod server_process;
mod statistics;
mod workload;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Error>;

/// Echo servers side by side: socketserver, C, Rust, Go and Python
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    /// Workloads to measure, in this order
    #[arg(value_enum)]
    workloads: Vec<Workload>,
    #[command(flatten)]
    options: RunOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Measure all workloads
    All(RunOptions),
    /// Put load on a server that already runs, for use with a profiler
    Load(LoadOptions),
}

#[derive(Args)]
struct LoadOptions {
    #[arg(value_enum)]
    workload: Workload,
    address: SocketAddrV4,
    /// Process ID of the server, to show its processor time and memory
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[command(flatten)]
    shape: ShapeOptions,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result {
    allow_many_descriptors()?;
    match &cli.command {
        Some(Command::Load(options)) => drive(options),
        Some(Command::All(options)) => runner::run(Workload::value_variants(), options),
        None if cli.workloads.is_empty() => Err("no workload given; --help lists them".into()),
        None => runner::run(&cli.workloads, &cli.options),
    }
}

/// Raises the limit of descriptors to the maximum. A connection needs one descriptor here and one in
/// the server, which inherits the limit.
fn allow_many_descriptors() -> Result {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}

fn drive(options: &LoadOptions) -> Result {
    let window = Window {
        warm_up: Duration::ZERO,
        measure: Duration::from_secs_f64(options.seconds),
    };
    let shape = options.workload.shape(&options.shape);
    let meter = Meter::new(window, Probe(options.pid));
    let sample = options.workload.load(&shape, options.address, meter)?;
    println!("{sample:#?}");
    Ok(())
}
