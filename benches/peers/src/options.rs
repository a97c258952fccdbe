//! Options of a run: rounds, times and peers.

use std::time::Duration;

use clap::Args;

use crate::meter::Window;
use crate::peer::Peer;
use crate::workload::{ShapeOptions, Workload};

#[derive(Args)]
pub struct RunOptions {
    /// Number of measurements per peer
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Length of a measurement in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// One short round, to check that each measurement runs
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Measure only peers whose name contains NAME (may be repeated); the references always run
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Do not pin the server and the load to one core each
    #[arg(long)]
    pub no_pin: bool,
    #[command(flatten)]
    pub shape: ShapeOptions,
}

impl RunOptions {
    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.into() }
    }

    /// Maximum number of attempts at an undisturbed measurement.
    pub fn attempts(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    pub fn window(&self) -> Window {
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

    pub fn wants(&self, workload: Workload, peer: &Peer) -> bool {
        self.only.is_empty()
            || workload.references().contains(&peer.name)
            || self.only.iter().any(|part| peer.name.contains(part))
    }
}
