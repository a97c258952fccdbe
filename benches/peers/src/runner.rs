//! Runs the rounds. Each round measures every peer once, in a rotated order.

use crate::Result;
use crate::contender::Contender;
use crate::growth::{self, Step};
use crate::meter::{Meter, Sample};
use crate::options::RunOptions;
use crate::peer::{Peer, catalogue, toolchain};
use crate::pinning::Pinning;
use crate::report;
use crate::server_process::ServerProcess;
use crate::workload::{Shape, Workload};

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
        return Err(format!("{failures} measurements failed").into());
    }
    Ok(())
}

struct Runner<'a> {
    options: &'a RunOptions,
    pinning: Pinning,
}

/// `compare` and `grow` print tables and return the number of failed measurements.
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
            for position in 0..count {
                // Rotates the order, so that no peer is always the first of a round.
                let contender = &mut contenders[(round + position) % count];
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
                    eprintln!("{what} is not installed: skipping {}", peer.name);
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

    /// Repeats a measurement that other processes disturbed, up to the number of attempts, and returns
    /// the least disturbed one. A round in which only one of two peers was disturbed has a wrong ratio.
    fn measure_undisturbed(
        &self,
        workload: Workload,
        shape: &Shape,
        peer: &Peer,
    ) -> Result<Sample> {
        let mut best = self.measure_once(workload, shape, peer)?;
        for _ in 1..self.options.attempts() {
            if !best.is_disturbed() {
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
        let mut server = ServerProcess::start(peer.command(), &self.pinning)?;
        let meter = Meter::new(self.options.window(), server.probe());
        workload
            .load(shape, server.address(), meter)
            .map_err(|error| server.explain(error))
    }
}
