//! The tables of `growth`: figures of a server by its number of connections.

use crate::contender::Contender;
use crate::meter::Sample;
use crate::report::{FEWEST_FOR_MEMORY, hundredths, resident, row, tenths};
use crate::statistics::ratios;
use crate::workload::{Shape, Workload};

pub const CONNECTIONS: [u16; 5] = [1, 10, 100, 1_000, 10_000];

/// The results of all peers with one number of connections.
pub struct Step {
    pub connections: u16,
    pub contenders: Vec<Contender>,
}

impl Step {
    fn contender(&self, name: &str) -> Option<&Contender> {
        let mut all = self.contenders.iter();
        all.find(|contender| contender.peer.name == name)
    }

    fn median(&self, contender: &Contender, value: fn(&Sample) -> f64) -> Option<f64> {
        (contender.failures() == 0).then(|| contender.median(value))
    }
}

pub fn tables(shape: &Shape, steps: &[Step], rounds: usize) -> String {
    let reference = Workload::Growth.references()[0];
    let rate_ratio = |step: &Step, contender: &Contender| {
        let ratios = ratios(contender, step.contender(reference)?, |sample| sample.rate)?;
        Some(hundredths(ratios.median))
    };
    let cpu = |step: &Step, contender: &Contender| {
        let cpu = step.median(contender, |sample| sample.cpu_per_operation)?;
        Some(hundredths(cpu))
    };
    let memory = |step: &Step, contender: &Contender| {
        let memory = step.median(contender, resident)?;
        (step.connections >= FEWEST_FOR_MEMORY).then(|| tenths(memory))
    };
    [
        format!(
            "\n### growth\n\n{}. Medians, rounds: {rounds}.",
            Workload::Growth.title(shape)
        ),
        table(&format!("rate to {reference}"), steps, rate_ratio),
        table("CPU µs/op", steps, cpu),
        table("KiB/connection", steps, memory),
    ]
    .join("\n")
}

/// A table with a row per peer and a column per step. A cell is `-` where the peer was not measured or
/// failed.
fn table(what: &str, steps: &[Step], cell: impl Fn(&Step, &Contender) -> Option<String>) -> String {
    let counts = steps.iter().map(|step| step.connections.to_string());
    let mut lines = vec![
        String::new(),
        row(&format!("{what}, connections:"), counts),
        row("---", steps.iter().map(|_| "--:")),
    ];
    // The first step has all peers. Later steps have fewer.
    for contender in &steps[0].contenders {
        let name = contender.peer.name;
        let cells = steps.iter().map(|step| {
            let contender = step.contender(name);
            contender
                .and_then(|contender| cell(step, contender))
                .unwrap_or("-".to_owned())
        });
        lines.push(row(name, cells));
    }
    lines.join("\n")
}
