//! Prometheus metrics. The only labels are the table's name and an operation, a stage or a policy, so there are few series.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use tributary_crds::TablePhase;

use super::process::ProcessMetrics;
use super::state::CommitReport;
use super::stats::StatsMetrics;
use super::table_state::TableState;
use crate::consume::Budget;
use crate::policy::Policy;
use crate::table::{Stages, TableStats};

pub(super) type Label = [(&'static str, String); 1];
type Labels = [(&'static str, String); 2];
type Histograms = Family<Label, Histogram, fn() -> Histogram>;
type Counters = Family<Label, Counter>;
type FloatGauge = Gauge<f64, AtomicU64>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;

/// Upper bounds in seconds: from a commit on a local disk to a table that is an hour behind.
const SECONDS: [f64; 16] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];

const COMMIT_DURATION: &str = "Time from the first byte written to the commit's answer";
const STAGES: &str = "Time that commits spent in each of their stages";
const ERRORS: &str = "Errors, by what becomes of the table: try-again, try-later, stop";
const SKIPPED: &str = "Events that were delivered again and left out because the table had them";
const FRESHNESS: &str =
    "Age of the oldest change of each commit, since its commit at the source, when it is readable in Delta";
const COMMIT_TO_KAFKA: &str = "Time from the commit of a tick at the source to its arrival in Kafka";
const KAFKA_TO_DELTA: &str =
    "Age of the oldest message of each commit, since its arrival in Kafka, when it is readable in Delta";
const LAG_BYTES: &str = "Bytes of the source's log that are not in the Delta table, as of the last look at the source";
const LAG_SECONDS: &str = "Time since the moment up to which the Delta table is known to be complete";

/// All metrics of the process.
pub(super) struct Metrics {
    registry: Registry,
    received_messages: Counters,
    received_bytes: Counters,
    events: Family<Labels, Counter>,
    commits: Counters,
    retries: Counters,
    conflicts: Counters,
    errors: Family<Labels, Counter>,
    restarts: Counters,
    internal_errors: Counters,
    decode_failures: Counters,
    skipped_events: Counters,
    maintenance: Family<[(&'static str, String); 3], Counter>,
    commit_duration: Histograms,
    commit_stages: Seconds,
    last_commit: Family<Label, FloatGauge>,
    freshness: Histograms,
    commit_to_kafka: Histogram,
    kafka_to_delta: Histograms,
    written_bytes: Counters,
    written_files: Counters,
    stats: StatsMetrics,
    rows: Family<Label, Gauge>,
    delta_version: Family<Label, Gauge>,
    lag_messages: Family<Label, Gauge>,
    lag_bytes: Family<Label, Gauge>,
    lag_seconds: Family<Label, FloatGauge>,
    up: Family<Label, Gauge>,
    failed: Family<Label, Gauge>,
    held_bytes: Family<Label, Gauge>,
    buffered_bytes: Gauge,
    buffered_bytes_limit: Gauge,
    process: ProcessMetrics,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("tributary");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of this program", version);
        let r = &mut registry;
        Self {
            received_messages: add(r, "received_messages", "Messages read from Kafka", Family::default()),
            received_bytes: add(r, "received_bytes", "Bytes of keys and values read from Kafka", Family::default()),
            events: add(r, "events", "Events applied to the Delta table, by operation", Family::default()),
            commits: add(r, "commits", "Delta commits", Family::default()),
            retries: add(r, "retries", "Attempts that did not succeed and were repeated", Family::default()),
            conflicts: add(r, "conflicts", "Commits of others that came before ours", Family::default()),
            errors: add(r, "errors", ERRORS, Family::default()),
            restarts: add(r, "restarts", "How often the table was started again", Family::default()),
            internal_errors: add(r, "internal_errors", "Faults of this program, such as panics", Family::default()),
            decode_failures: add(r, "decode_failures", "Messages that could not be decoded", Family::default()),
            maintenance: add(
                r,
                "maintenance",
                "Compactions, checkpoints, clean-ups and vacuums, by outcome",
                Family::default(),
            ),
            skipped_events: add(r, "skipped_events", SKIPPED, Family::default()),
            commit_duration: add(r, "commit_duration_seconds", COMMIT_DURATION, seconds()),
            commit_stages: add(r, "commit_stage_seconds", STAGES, Family::default()),
            last_commit: add(r, "last_commit_timestamp_seconds", "When the last commit was made", Family::default()),
            freshness: add(r, "freshness_seconds", FRESHNESS, seconds()),
            commit_to_kafka: add(r, "commit_to_kafka_seconds", COMMIT_TO_KAFKA, Histogram::new(SECONDS)),
            kafka_to_delta: add(r, "kafka_to_delta_seconds", KAFKA_TO_DELTA, seconds()),
            written_bytes: add(r, "written_bytes", "Bytes written to the Delta table", Family::default()),
            written_files: add(r, "written_files", "Files written to the Delta table", Family::default()),
            stats: StatsMetrics::new(r),
            rows: add(r, "rows", "Live rows of the Delta table", Family::default()),
            delta_version: add(r, "delta_version", "Version of the Delta table", Family::default()),
            lag_messages: add(r, "lag_messages", "Messages that were not applied yet", Family::default()),
            lag_bytes: add(r, "lag_bytes", LAG_BYTES, Family::default()),
            lag_seconds: add(r, "lag_seconds", LAG_SECONDS, Family::default()),
            up: add(r, "table_up", "1 while the table is snapshotting or streaming", Family::default()),
            failed: add(r, "table_failed", "1 when the table has stopped and needs somebody", Family::default()),
            held_bytes: add(r, "held_bytes", "Bytes that the table holds of the memory", Family::default()),
            buffered_bytes: add(r, "buffered_bytes", "Bytes buffered between Kafka and Delta", Gauge::default()),
            buffered_bytes_limit: add(r, "buffered_bytes_limit", "Bytes that may be buffered", Gauge::default()),
            process: ProcessMetrics::new(),
            registry,
        }
    }

    pub(super) fn received(&self, table: &str, messages: u64, bytes: u64) {
        self.received_messages.get_or_create(&label(table)).inc_by(messages);
        self.received_bytes.get_or_create(&label(table)).inc_by(bytes);
    }

    /// An error, and what becomes of the table.
    pub(super) fn erred(&self, table: &str, policy: Policy) {
        self.errors.get_or_create(&[("table", table.to_owned()), ("policy", policy.name().to_owned())]).inc();
        if policy.is_transient() {
            self.retries.get_or_create(&label(table)).inc();
        }
    }

    pub(super) fn maintained(&self, table: &str, job: &str, outcome: &str) {
        let labels = [("table", table.to_owned()), ("job", job.to_owned()), ("outcome", outcome.to_owned())];
        self.maintenance.get_or_create(&labels).inc();
    }

    pub(super) fn restarted(&self, table: &str) {
        self.restarts.get_or_create(&label(table)).inc();
    }

    pub(super) fn internal_error(&self, table: &str) {
        self.internal_errors.get_or_create(&label(table)).inc();
    }

    pub(super) fn cannot_decode(&self, table: &str) {
        self.decode_failures.get_or_create(&label(table)).inc();
    }

    pub(super) fn skipped(&self, table: &str, events: u64) {
        self.skipped_events.get_or_create(&label(table)).inc_by(events);
    }

    pub(super) fn stats(&self, table: &str, stats: &TableStats) {
        self.stats.show(table, stats);
    }

    pub(super) fn held(&self, table: &str, bytes: usize) {
        self.held_bytes.get_or_create(&label(table)).set(bytes as i64);
    }

    /// A tick came to Kafka so many milliseconds after its commit.
    pub(super) fn tick(&self, age_ms: i64) {
        self.commit_to_kafka.observe(age_ms.max(0) as f64 / 1000.0);
    }

    pub(super) fn committed(&self, table: &str, report: &CommitReport<'_>, now_ms: i64) {
        let counts = &report.counts;
        let by_op = [
            ("read", counts.reads),
            ("create", counts.creates),
            ("update", counts.updates),
            ("delete", counts.deletes),
            ("truncate", counts.truncates),
        ];
        for (op, count) in by_op {
            self.events.get_or_create(&[("table", table.to_owned()), ("op", op.to_owned())]).inc_by(count);
        }
        let Stages { locate, read, write, put } = report.committed.stages;
        for (stage, duration) in [("locate", locate), ("read", read), ("write", write), ("put", put)] {
            let labels = [("table", table.to_owned()), ("stage", stage.to_owned())];
            self.commit_stages.get_or_create(&labels).inc_by(duration.as_secs_f64());
        }
        let label = label(table);
        self.commits.get_or_create(&label).inc();
        self.conflicts.get_or_create(&label).inc_by(u64::from(report.committed.conflicts));
        self.last_commit.get_or_create(&label).set(now_ms as f64 / 1000.0);
        self.commit_duration.get_or_create(&label).observe(report.duration.as_secs_f64());
        let ages = [(&self.freshness, report.oldest_change_ts_ms), (&self.kafka_to_delta, report.oldest_message_ts_ms)];
        for (histogram, oldest) in ages {
            if let Some(oldest) = oldest {
                histogram.get_or_create(&label).observe((now_ms - oldest).max(0) as f64 / 1000.0);
            }
        }
        self.written_bytes.get_or_create(&label).inc_by(report.committed.bytes_written);
        self.written_files.get_or_create(&label).inc_by(report.committed.files_written as u64);
        self.stats.files(table, report.committed.files as u64);
    }

    /// The text that Prometheus scrapes.
    pub(super) fn text(&self, tables: &[TableState], budget: &Budget) -> Result<String, fmt::Error> {
        for table in tables {
            self.show(table);
        }
        self.buffered_bytes.set(budget.used() as i64);
        self.buffered_bytes_limit.set(budget.limit() as i64);
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        self.process.text(&mut text)?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    fn show(&self, table: &TableState) {
        let label = label(&table.name);
        let known = [
            (&self.rows, table.rows),
            (&self.delta_version, table.delta_version),
            (&self.lag_messages, table.lag_messages),
            (&self.lag_bytes, table.lag_bytes),
            (&self.up, Some(u64::from(table.phase.works()))),
            (&self.failed, Some(u64::from(table.phase == TablePhase::Stopped))),
        ];
        for (gauge, value) in known {
            if let Some(value) = value {
                gauge.get_or_create(&label).set(value as i64);
            }
        }
        if let Some(lag) = table.lag_seconds {
            self.lag_seconds.get_or_create(&label).set(lag);
        }
    }
}

pub(super) fn label(table: &str) -> Label {
    [("table", table.to_owned())]
}

fn seconds() -> Histograms {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

pub(super) fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}
