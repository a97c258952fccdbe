//! The Markdown table of one workload.

use crate::contender::Contender;
use crate::meter::Sample;
use crate::statistics::{Spread, ratios};
use crate::workload::{Shape, Workload};

/// Fewest connections for which memory per connection is shown. With fewer, the variation of the
/// server's own memory is larger than the memory of the connections.
pub const FEWEST_FOR_MEMORY: u16 = 100;

struct Column<'a> {
    title: String,
    cell: Box<dyn Fn(&Contender) -> String + 'a>,
}

impl<'a> Column<'a> {
    fn new(title: impl Into<String>, cell: impl Fn(&Contender) -> String + 'a) -> Self {
        Self {
            title: title.into(),
            cell: Box::new(cell),
        }
    }

    /// A column with the formatted median of the rounds.
    fn median(title: &str, value: fn(&Sample) -> f64, format: fn(f64) -> String) -> Self {
        Self::new(title, move |contender| format(contender.median(value)))
    }
}

pub fn table(workload: Workload, shape: &Shape, contenders: &[Contender], rounds: usize) -> String {
    let columns = columns(workload, shape, contenders);
    let titles = columns.iter().map(|column| &column.title[..]);
    let mut lines = vec![
        format!(
            "\n### {}\n\n{}. Medians (and least..most), rounds: {rounds}.\n",
            workload.name(),
            workload.title(shape)
        ),
        row("peer", titles),
        row("---", columns.iter().map(|_| "--:")),
    ];
    for contender in contenders {
        let name = contender.peer.name;
        lines.push(match contender.failures() {
            0 => row(name, columns.iter().map(|column| (column.cell)(contender))),
            // Shows no median of the other rounds, because it would look like a valid result.
            failures => row(name, [format!("FAILED (rounds: {failures})")]),
        });
    }
    lines.join("\n")
}

/// One line of a table.
pub fn row<T: AsRef<str>>(first: &str, cells: impl IntoIterator<Item = T>) -> String {
    let mut line = format!("| {first} |");
    for cell in cells {
        line += " ";
        line += cell.as_ref();
        line += " |";
    }
    line
}

fn columns<'a>(workload: Workload, shape: &Shape, contenders: &'a [Contender]) -> Vec<Column<'a>> {
    let references: Vec<_> = workload
        .references()
        .iter()
        .filter_map(|name| contenders.iter().find(|other| other.peer.name == *name))
        .collect();
    let mut columns = Vec::new();
    for &reference in &references {
        let title = format!("rate to {}", reference.peer.name);
        columns.push(Column::new(title, |contender| {
            spread(ratios(contender, reference, |sample| sample.rate))
        }));
    }
    for &reference in &references {
        let title = format!("CPU to {}", reference.peer.name);
        columns.push(Column::new(title, |contender| {
            spread(ratios(contender, reference, |sample| {
                sample.cpu_per_operation.recip()
            }))
        }));
    }
    columns.extend([
        Column::median(workload.unit(), |sample| sample.rate, whole),
        Column::median("CPU µs/op", |sample| sample.cpu_per_operation, hundredths),
        Column::median("p50 µs", |sample| sample.p50, whole),
        Column::median("p99 µs", |sample| sample.p99, whole),
        Column::median("p99.9 µs", |sample| sample.p999, whole),
    ]);
    if workload.has_memory() && shape.connections >= FEWEST_FOR_MEMORY {
        columns.extend([
            Column::median("KiB/connection", resident, tenths),
            Column::median("page tables KiB", page_tables, tenths),
        ]);
    }
    if workload.is_datagrams() {
        columns.push(Column::median("lost", |sample| sample.lost as f64, whole));
    }
    columns.extend([
        Column::median("server core", |sample| sample.cpu_share, percent),
        Column::median("others", |sample| sample.others_share, percent),
    ]);
    columns
}

pub fn resident(sample: &Sample) -> f64 {
    sample.memory.unwrap_or_default().resident
}

fn page_tables(sample: &Sample) -> f64 {
    sample.memory.unwrap_or_default().page_tables
}

/// Formats ratios; `-` if there are none, because a measurement failed.
fn spread(ratios: Option<Spread>) -> String {
    ratios.map_or("-".to_owned(), |ratios| {
        let Spread {
            least,
            median,
            most,
        } = ratios;
        if least == most {
            return hundredths(median);
        }
        format!("{median:.2} ({least:.2}..{most:.2})")
    })
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

pub fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

pub fn hundredths(value: f64) -> String {
    format!("{value:.2}")
}

fn percent(value: f64) -> String {
    format!("{:.0} %", value * 100.0)
}
