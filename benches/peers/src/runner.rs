//! The rounds: every peer once per round, in an order that rotates.

use std::time::Duration;

use clap::Args;

use crate::Result;
use crate::growth::{self, Step};
use crate::meter::{Meter, Sample, Window};
use crate::peer::{Peer, catalogue, toolchain};
use crate::pinning::Pinning;
use crate::report;
use crate::server_process::ServerProcess;
use crate::statistics;
use crate::workload::{Shape, ShapeOptions, Workload};

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
    /// Only the peers whose name contains this (may be repeated); the references always run
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Leave it to the scheduler which core runs the server and which the load
    #[arg(long)]
    no_pin: bool,
    #[command(flatten)]
    shape: ShapeOptions,
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

    fn wants(&self, workload: Workload, peer: &Peer) -> bool {
        self.only.is_empty()
            || workload.references().contains(&peer.name)
            || self.only.iter().any(|part| peer.name.contains(part))
    }
}

/// A peer and what became of it in each round: a sample, or why there is none.
pub struct Contender {
    pub peer: Peer,
    pub rounds: Vec<std::result::Result<Sample, String>>,
}

impl Contender {
    pub fn failures(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_err()).count()
    }

    /// The median of the rounds that did not fail.
    pub fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        statistics::median(self.rounds.iter().flatten().map(value))
    }
}

pub fn run(workloads: &[Workload], options: &RunOptions) -> Result {
    toolchain::build_servers()?;
    let runner = Runner {
        options,
        pinning: if options.no_pin {
            Pinning::OFF
        } else {
            Pinning::of_this_machine()?
        },
    };
    let mut failures = 0;
    for &workload in workloads {
        let shape = workload.shape(&options.shape);
        failures += if workload == Workload::Growth {
            runner.grow(shape)
        } else {
            runner.compare(workload, &shape)
        };
    }
    if failures > 0 {
        return Err(format!("measurements that failed: {failures}").into());
    }
    Ok(())
}

struct Runner<'a> {
    options: &'a RunOptions,
    pinning: Pinning,
}

/// The methods that print tables return how many measurements failed.
impl Runner<'_> {
    fn compare(&self, workload: Workload, shape: &Shape) -> usize {
        let contenders = self.measure(workload, shape);
        let rounds = self.options.rounds();
        println!("{}", report::table(workload, shape, &contenders, rounds));
        contenders.iter().map(Contender::failures).sum()
    }

    fn grow(&self, shape: Shape) -> usize {
        let steps = growth::CONNECTIONS.map(|connections| {
            let shape = Shape {
                connections,
                ..shape
            };
            let contenders = self.measure(Workload::Growth, &shape);
            Step {
                connections,
                contenders,
            }
        });
        println!("{}", growth::tables(&shape, &steps, self.options.rounds()));
        let all = steps.iter().flat_map(|step| &step.contenders);
        all.map(Contender::failures).sum()
    }

    fn measure(&self, workload: Workload, shape: &Shape) -> Vec<Contender> {
        let mut contenders = self.contenders(workload, shape);
        let count = contenders.len();
        for round in 0..self.options.rounds() {
            for turn in 0..count {
                // Rotated: no peer is always measured after the same other one.
                let contender = &mut contenders[(round + turn) % count];
                let result = self
                    .measure_undisturbed(workload, shape, &contender.peer)
                    .map_err(|error| error.to_string());
                if let Err(error) = &result {
                    eprintln!("FAILED: {workload:?}, {}: {error}", contender.peer.name);
                }
                contender.rounds.push(result);
            }
        }
        contenders
    }

    fn contenders(&self, workload: Workload, shape: &Shape) -> Vec<Contender> {
        catalogue::peers(workload, shape, self.pinning.server_cores())
            .into_iter()
            .filter(|peer| self.options.wants(workload, peer))
            .filter(|peer| match peer.missing() {
                Some(what) => {
                    eprintln!("{what} is not here: skipping {}", peer.name);
                    false
                }
                None => true,
            })
            .map(|peer| Contender {
                peer,
                rounds: Vec::new(),
            })
            .collect()
    }

    /// Measure again while something else took the cores, within reason, and keep the attempt
    /// that it took least from. A round in which one peer alone was disturbed has a wrong ratio.
    fn measure_undisturbed(
        &self,
        workload: Workload,
        shape: &Shape,
        peer: &Peer,
    ) -> Result<Sample> {
        let mut best = self.measure_once(workload, shape, peer)?;
        for _ in 1..self.options.attempts() {
            if best.others_share <= DISTURBED {
                break;
            }
            let sample = self.measure_once(workload, shape, peer)?;
            if sample.others_share < best.others_share {
                best = sample;
            }
        }
        Ok(best)
    }

    fn measure_once(&self, workload: Workload, shape: &Shape, peer: &Peer) -> Result<Sample> {
        let server = ServerProcess::start(peer.command(), &self.pinning)?;
        let meter = Meter::new(self.options.window(), server.probe());
        workload.load(shape, server.address(), meter)
    }
}
