//! Counts operations inside a window of time and reads the processor times at the
//! window's two ends, and the memory before the connections and at the end.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cpu::CpuTimes;
use crate::memory::Memory;
use crate::probe::Probe;

/// A server that answers nothing for this long has failed, whatever it is doing.
const STALLED: Duration = Duration::from_secs(5);

/// Room for the latencies of a long run, so that recording one never moves the others.
const EXPECTED_OPERATIONS: usize = 1 << 22;

/// The part of a core that others may take before a measurement counts as disturbed.
const DISTURBED: f64 = 0.1;

/// How long a server is under load: first uncounted, then counted.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub warm_up: Duration,
    pub measure: Duration,
}

/// What one server did in one window.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Operations per second.
    pub rate: f64,
    /// Quantiles of the time that an operation took, in microseconds.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// The server's user and system time per operation, in microseconds.
    pub cpu_per_operation: f64,
    /// The part of the window that the server was on a processor: 1.0 is one whole core.
    pub cpu_share: f64,
    /// How busy the rest of the machine was, in cores: what it took from the measurement.
    pub others_share: f64,
    /// Datagrams that did not come back in time.
    pub lost: u64,
    /// The server's memory for each connection, where that has been asked for.
    pub memory: Option<Memory>,
}

impl Sample {
    pub fn is_disturbed(&self) -> bool {
        self.others_share > DISTURBED
    }
}

/// Made before the load connects, started after.
pub struct Meter {
    window: Window,
    opens: Instant,
    closes: Instant,
    /// When and at what processor time counting really began.
    opened: Option<(Instant, CpuTimes)>,
    probe: Probe,
    /// The memory before the connections, and how many these are.
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

    /// The connections come next whose memory counts.
    pub fn before_connecting(&mut self, count: u16) -> Result {
        self.connecting = Some((self.probe.memory()?, count));
        Ok(())
    }

    /// Set the clock: everything is connected, and the load begins.
    pub fn start(&mut self) {
        let now = Instant::now();
        self.opens = now + self.window.warm_up;
        self.closes = self.opens + self.window.measure;
        self.last_progress = now;
    }

    /// Is there still time? Opens the window when it is due; fails where the server hangs.
    pub fn keep_going(&mut self, now: Instant) -> Result<bool> {
        if self.opened.is_none() && now >= self.opens {
            self.opened = Some((now, self.probe.cpu_times()?));
        }
        if now.duration_since(self.last_progress) > STALLED {
            return Err(format!("no echo for {STALLED:?}").into());
        }
        Ok(now < self.closes)
    }

    /// An operation is over and its bytes were right.
    pub fn record(&mut self, began: Instant, ended: Instant) {
        self.last_progress = ended;
        if self.opened.is_some() {
            let nanoseconds = ended.duration_since(began).as_nanos();
            self.latencies
                .push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
        }
    }

    /// A datagram or its echo went missing.
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
            return Err("no operation was finished in the window".into());
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

/// The value below which the given part of the sorted values lies, in microseconds.
fn quantile(sorted_nanoseconds: &[u32], part: f64) -> f64 {
    let index = (sorted_nanoseconds.len() as f64 * part) as usize;
    let last = sorted_nanoseconds.len() - 1;
    f64::from(sorted_nanoseconds[index.min(last)]) / 1e3
}
