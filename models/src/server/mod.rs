//! The real close of a server. The accept loop is a part of the models.

mod backlog_policy;
#[allow(dead_code)]
#[path = "../../../src/server/drain.rs"]
mod drain;
#[allow(dead_code)]
#[path = "../../../src/server/drain_report.rs"]
mod drain_report;

use std::time::Instant;

pub(crate) use self::drain_report::DrainReport;

use self::drain::{Deadlines, DrainOnDrop};
use crate::state::ServerHandle;
use crate::strategy::Strategy;

/// Closes a server. `drain_backlog` serves or rejects the connections in the backlog, until a deadline if
/// there is one.
pub(crate) fn close(
    handle: &ServerHandle,
    strategy: impl Strategy,
    drain_backlog: impl FnOnce(Option<Instant>) + Send + Sync + 'static,
) -> DrainReport {
    let drain_backlog =
        Box::new(move |_: &_, _: &_, deadlines: Deadlines| drain_backlog(deadlines.backlog));
    DrainOnDrop::new(handle, strategy, drain_backlog).drain()
}
