//! The crate's `server`: closing and its report are the real sources.

#[allow(dead_code)]
#[path = "../../../src/server/drain.rs"]
pub(crate) mod drain;
#[allow(dead_code)]
#[path = "../../../src/server/drain_report.rs"]
mod drain_report;
pub mod stop;

pub(crate) use self::drain_report::DrainReport;

pub(crate) mod backlog_policy {
    //! The models always serve the backlog.

    #[derive(Clone)]
    pub(crate) enum BacklogPolicy {
        Serve,
    }
}
