//! Counts operations inside a window of time. Reads processor times at the start and end of the window,
//! and memory before the connections are opened and at the end.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cpu::CpuTimes;
use crate::memory::Memory;
use crate::probe::Probe;

/// Time without an answer after which a server has failed.
const STALLED: Duration = Duration::from_secs(5);

/// Capacity for the latencies of a long run, so that recording never reallocates.
const EXPECTED_OPERATIONS: usize = 1 << 22;

/// Share of a core used by other processes above which a measurement counts as disturbed.
const DISTURBED: f64 = 0.1;

/// Duration of the load: a warm-up that is not counted, then the measurement.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub warm_up: Duration,
    pub measure: Duration,
}

/// Figures of one server in one window.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Operations per second.
    pub rate: f64,
    /// Quantiles of the latency of an operation, in microseconds.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// User and system time of the server per operation, in microseconds.
    pub cpu_per_operation: f64,
    /// Processor time of the server divided by the length of the window; 1.0 is one core.
    pub cpu_share: f64,
    /// Processor time of other processes divided by the length of the window; 1.0 is one core.
    pub others_share: f64,
    /// Number of datagrams without an echo in time.
    pub lost: u64,
    /// Memory of the server per connection, if requested with [`Meter::before_connecting`].
    pub memory: Option<Memory>,
}

impl Sample {
    pub fn is_disturbed(&self) -> bool {
        self.others_share > DISTURBED
    }
}

/// Created before the load connects, started afterwards.
pub struct Meter {
    window: Window,
    opens: Instant,
    closes: Instant,
    /// Time and processor times at which counting began.
    opened: Option<(Instant, CpuTimes)>,
    probe: Probe,
    /// Memory before the connections are opened, and the number of connections.
    connecting: Option<(Memory, u16)>,
    last_progress: Instant,
    latencies: Vec<u32>,
    lost: u64,
}

impl Meter {
    pub fn new(window: Window, probe: Probe) -> Self {
        let now = Instant::now();
        Self {
            window,
            opens: now,
            closes: now,
            opened: None,
            probe,
            connecting: None,
            last_progress: now,
            latencies: Vec::with_capacity(EXPECTED_OPERATIONS),
            lost: 0,
        }
    }

    /// Reads the memory before `count` connections are opened.
    pub fn before_connecting(&mut self, count: u16) -> Result {
        self.connecting = Some((self.probe.memory()?, count));
        Ok(())
    }

    /// Starts the clock. All connections are open and the load begins.
    pub fn start(&mut self) {
        let now = Instant::now();
        self.opens = now + self.window.warm_up;
        self.closes = self.opens + self.window.measure;
        self.last_progress = now;
    }

    /// Returns whether the load goes on. Opens the window when it is due.
    ///
    /// # Errors
    ///
    /// The server has not answered for [`STALLED`].
    pub fn keep_going(&mut self, now: Instant) -> Result<bool> {
        if self.opened.is_none() && now >= self.opens {
            self.opened = Some((now, self.probe.cpu_times()?));
        }
        if now.duration_since(self.last_progress) > STALLED {
            return Err(format!("no echo for {STALLED:?}").into());
        }
        Ok(now < self.closes)
    }

    /// Records a complete operation with correct bytes.
    pub fn record(&mut self, began: Instant, ended: Instant) {
        self.last_progress = ended;
        if self.opened.is_some() {
            let nanoseconds = ended.duration_since(began).as_nanos();
            self.latencies
                .push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
        }
    }

    /// Records the loss of a datagram or its echo.
    pub fn record_loss(&mut self) {
        if self.opened.is_some() {
            self.lost += 1;
        }
    }

    pub fn finish(mut self) -> Result<Sample> {
        let ended = Instant::now();
        let cpu_ended = self.probe.cpu_times()?;
        let (opened, cpu_opened) = self.opened.ok_or("the window never opened")?;
        if self.latencies.is_empty() {
            return Err("no operation was completed in the window".into());
        }
        let memory = match self.connecting {
            Some((before, count)) => Some(self.probe.memory()?.per_connection(before, count)),
            None => None,
        };
        self.latencies.sort_unstable();

        let seconds = ended.duration_since(opened).as_secs_f64();
        let cpu_seconds = (cpu_ended.server.saturating_sub(cpu_opened.server)).as_secs_f64();
        let others_seconds = (cpu_ended.others.saturating_sub(cpu_opened.others)).as_secs_f64();
        let operations = self.latencies.len() as f64;
        Ok(Sample {
            rate: operations / seconds,
            p50: quantile(&self.latencies, 0.50),
            p99: quantile(&self.latencies, 0.99),
            p999: quantile(&self.latencies, 0.999),
            cpu_per_operation: cpu_seconds * 1e6 / operations,
            cpu_share: cpu_seconds / seconds,
            others_share: others_seconds / seconds,
            lost: self.lost,
            memory,
        })
    }
}

/// A quantile of sorted values, in microseconds.
fn quantile(sorted_nanoseconds: &[u32], part: f64) -> f64 {
    let index = (sorted_nanoseconds.len() as f64 * part) as usize;
    let last = sorted_nanoseconds.len() - 1;
    f64::from(sorted_nanoseconds[index.min(last)]) / 1e3
}
