//! Memory, processor time and threads of this process, as Linux tells them, under the names that every exporter uses.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Linux counts processor time in hundredths of a second (`USER_HZ`), on every machine there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Usage {
    resident_bytes: u64,
    cpu_seconds: f64,
    threads: u64,
}

/// The metrics that say so.
pub(super) struct ProcessMetrics {
    registry: Registry,
    memory: Gauge,
    cpu: Counter<f64, AtomicU64>,
    threads: Gauge,
}

impl ProcessMetrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("process");
        let (memory, cpu, threads) = (Gauge::default(), Counter::default(), Gauge::default());
        registry.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, memory.clone());
        registry.register_with_unit("cpu", "Processor time, user and system", Unit::Seconds, cpu.clone());
        registry.register("threads", "Threads", threads.clone());
        Self { registry, memory, cpu, threads }
    }

    /// Appends them to `text`; where there is no `/proc`, as they were.
    pub(super) fn text(&self, text: &mut String) -> fmt::Result {
        if let Some(usage) = usage() {
            self.memory.set(usage.resident_bytes as i64);
            self.threads.set(usage.threads as i64);
            self.cpu.inc_by((usage.cpu_seconds - self.cpu.get()).max(0.0));
        }
        encode_registry(text, &self.registry)
    }
}

fn usage() -> Option<Usage> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    parse(&stat, &status)
}

/// Reads `/proc/self/stat` (proc(5): the name of the program may hold spaces and parentheses) and `/proc/self/status`.
fn parse(stat: &str, status: &str) -> Option<Usage> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?;
    Some(Usage {
        resident_bytes: kib.parse::<u64>().ok()? * 1024,
        cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS_PER_SECOND,
        threads: field(20)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_stand_behind_the_name_whatever_that_is() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 1 1";
        let usage = parse(stat, "Name:\tx\nVmRSS:\t    2048 kB\n").unwrap();
        assert_eq!(usage, Usage { resident_bytes: 2 << 20, cpu_seconds: 3.0, threads: 9 });
        assert_eq!(parse("7 (a", ""), None);
    }

    #[test]
    fn this_process_has_memory_time_and_threads() {
        let metrics = ProcessMetrics::new();
        let mut text = String::new();
        metrics.text(&mut text).unwrap();
        for name in ["process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_threads "] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not in\n{text}");
        }
    }
}
