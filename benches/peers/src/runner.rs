//! The rounds: every peer once per round, in an order that rotates.

use std::time::Duration;

use clap::Args;

use crate::Result;
use crate::meter::{Meter, Sample, Window};
use crate::peer::{self, Peer};
use crate::pinning::Pinning;
use crate::report;
use crate::server_process::ServerProcess;
use crate::workload::{Shape, Workload};

/// The part of a core that others may take before a measurement counts as disturbed.
const DISTURBED: f64 = 0.1;

#[derive(Args)]
pub struct RunOptions {
    /// How often every peer is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long a measurement takes
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// One short round: does everything work?
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Only the peers whose name contains this (may be repeated); the reference always runs
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Leave it to the scheduler which core runs the server and which the load
    #[arg(long)]
    no_pin: bool,
    #[command(flatten)]
    shape: Shape,
}

impl RunOptions {
    fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.into() }
    }

    /// How often to try for an undisturbed measurement.
    fn attempts(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    fn window(&self) -> Window {
        let (warm_up, measure) = if self.quick {
            (0.1, 0.3)
        } else {
            (0.3, self.seconds)
        };
        Window {
            warm_up: Duration::from_secs_f64(warm_up),
            measure: Duration::from_secs_f64(measure),
        }
    }

    fn wants(&self, peer: &Peer) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| peer.name.contains(part))
    }
}

/// A peer and what became of it in each round: a sample, or why there is none.
pub struct Contender {
    pub peer: Peer,
    pub rounds: Vec<std::result::Result<Sample, String>>,
}

pub fn run(workloads: &[Workload], options: &RunOptions) -> Result {
    let pinning = if options.no_pin {
        Pinning::OFF
    } else {
        Pinning::of_this_machine()?
    };
    peer::build_echo_server()?;
    let mut failures = 0;
    for &workload in workloads {
        let contenders = measure(workload, options, &pinning);
        print!(
            "{}",
            report::table(workload, &options.shape, &contenders, options.rounds())
        );
        failures += contenders
            .iter()
            .flat_map(|contender| &contender.rounds)
            .filter(|round| round.is_err())
            .count();
    }
    if failures > 0 {
        return Err(format!("measurements that failed: {failures}").into());
    }
    Ok(())
}

fn measure(workload: Workload, options: &RunOptions, pinning: &Pinning) -> Vec<Contender> {
    let mut contenders = contenders(workload, options);
    let count = contenders.len();
    for round in 0..options.rounds() {
        for turn in 0..count {
            // Rotated: no peer is always measured after the same other one.
            let contender = &mut contenders[(round + turn) % count];
            let result = measure_undisturbed(workload, &contender.peer, options, pinning)
                .map_err(|error| error.to_string());
            if let Err(error) = &result {
                eprintln!("FAILED: {workload:?}, {}: {error}", contender.peer.name);
            }
            contender.rounds.push(result);
        }
    }
    contenders
}

fn contenders(workload: Workload, options: &RunOptions) -> Vec<Contender> {
    let python_is_here = peer::python_is_here();
    if !python_is_here {
        eprintln!("python3 is not here: skipping its peers");
    }
    peer::peers(workload, &options.shape)
        .into_iter()
        .enumerate()
        // The first one is the reference, without which there are no ratios.
        .filter(|(index, peer)| *index == 0 || options.wants(peer))
        .map(|(_, peer)| peer)
        .filter(|peer| python_is_here || !peer.is_python())
        .map(|peer| Contender {
            peer,
            rounds: Vec::new(),
        })
        .collect()
}

/// Measure again while something else took the cores, within reason, and keep the attempt that
/// it took least from. A round in which one peer alone was disturbed has a wrong ratio.
fn measure_undisturbed(
    workload: Workload,
    peer: &Peer,
    options: &RunOptions,
    pinning: &Pinning,
) -> Result<Sample> {
    let mut best = measure_once(workload, peer, options, pinning)?;
    for _ in 1..options.attempts() {
        if best.others_share <= DISTURBED {
            break;
        }
        let sample = measure_once(workload, peer, options, pinning)?;
        if sample.others_share < best.others_share {
            best = sample;
        }
    }
    Ok(best)
}

fn measure_once(
    workload: Workload,
    peer: &Peer,
    options: &RunOptions,
    pinning: &Pinning,
) -> Result<Sample> {
    let server = ServerProcess::start(peer.command(), pinning)?;
    let cpu_clock = || server.cpu_times();
    let meter = Meter::new(options.window(), &cpu_clock);
    workload.load(&options.shape, server.address(), meter)
}
