//! One run: the real replicator takes a topic that is full to Delta, and is watched as it does.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use tributary_e2e::oracle::{Oracle, TableLocation};
use url::Url;

use crate::delta_log::{Commit, DeltaLog};
use crate::events::Format;
use crate::process::{Replicator, Usage};
use crate::resource::{BUCKET, Choices, Document, Storage};
use crate::stack::BenchStack;
use crate::verify;
use crate::workload::Workload;

/// How often the log of the table is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// `replicator.commitInterval` of every run.
pub(crate) const COMMIT_INTERVAL: &str = "1s";
/// A replicator that commits nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_mins(2);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Of the messages.
    pub(crate) format: Format,
    /// Where to.
    pub(crate) storage: Storage,
    /// `replicator.commitSize`; `None`: the default.
    pub(crate) commit_size: Option<u64>,
}

/// What a run showed. Rates are between the first and the last but one commit of their part, by the timestamps in the
/// Delta log: the last one may have waited for more events until its interval was over.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// Of the messages.
    pub(crate) format: &'static str,
    /// Where to.
    pub(crate) storage: &'static str,
    /// `replicator.commitSize`, if it was not the default.
    pub(crate) commit_size: Option<u64>,
    /// Events of the backlog of updates.
    pub(crate) updates: u64,
    /// Updates a second.
    pub(crate) updates_per_s: f64,
    /// CPU seconds of the replicator per million updates.
    pub(crate) cpu_s_per_million: f64,
    /// Rows of the snapshot a second.
    pub(crate) snapshot_rows_per_s: f64,
    /// The most memory of the whole run, in MiB.
    pub(crate) peak_mib: f64,
    /// Commits with updates.
    pub(crate) commits: usize,
    /// Updates in one commit, on average over all but the last one.
    pub(crate) updates_per_commit: f64,
    /// From the start of the process to the last commit, in seconds; snapshot included.
    pub(crate) whole_s: f64,
}

/// Runs, verifies the table row by row with the independent reader, and stops the replicator.
pub(crate) async fn run(stack: &BenchStack, oracle: &Oracle, program: &Path, run: Run) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let destination = match run.storage {
        Storage::Local => Url::parse(&format!("file://{}/lake", folder.path().display()))?,
        Storage::S3 => Url::parse(&format!("s3://{BUCKET}/{}", stack.next_number()))?,
    };
    if run.storage == Storage::Local {
        std::fs::create_dir(folder.path().join("lake"))?;
    }
    let Run { format, commit_size, .. } = run;
    let choices =
        Choices { addresses: stack.addresses(), format, destination, commit_interval: COMMIT_INTERVAL, commit_size };
    let document = Document::write(folder.path(), &choices)?;
    let url = document.table_url()?;
    let options = stack.storage_options(run.storage);
    let mut log = DeltaLog::of(&url, &options)?;
    let mut replicator = Replicator::start(program, folder.path())?;
    let watched = watch(&mut replicator, &mut log, stack.workload()).await?;
    replicator.stop()?;
    verify::verify(oracle, &TableLocation::new(url.as_str(), options), stack.workload()).await?;
    Ok(measured(run, stack.workload(), &log.commits, &watched))
}

/// What the kernel said of the process when a commit was seen, at most [`GLANCE`] after it landed.
struct Watched {
    /// After the first commit with updates.
    first: Usage,
    last: Usage,
    whole: Duration,
}

async fn watch(replicator: &mut Replicator, log: &mut DeltaLog, workload: Workload) -> anyhow::Result<Watched> {
    let started = Instant::now();
    let (mut first, mut moved) = (None, Instant::now());
    loop {
        let before = log.applied();
        log.poll().await?;
        if log.applied() > before {
            moved = Instant::now();
            if log.applied() > workload.rows && first.is_none() {
                first = Some(replicator.usage()?);
            }
        }
        if let Some(first) = first.filter(|_| log.applied() == workload.rows + workload.updates) {
            return Ok(Watched { first, last: replicator.usage()?, whole: started.elapsed() });
        }
        replicator.check()?;
        let stuck = moved.elapsed() > PATIENCE;
        anyhow::ensure!(!stuck, "no commit in {PATIENCE:?}; the replicator has {}", replicator.log_end());
        tokio::time::sleep(GLANCE).await;
    }
}

fn measured(run: Run, workload: Workload, commits: &[Commit], watched: &Watched) -> Measured {
    let split = commits.partition_point(|commit| commit.to <= workload.rows);
    let (snapshot, updates) = commits.split_at(split);
    let after_first = workload.rows + workload.updates - updates.first().map_or(0, |first| first.to);
    let rate = Rate::of(updates);
    Measured {
        format: run.format.name(),
        storage: run.storage.name(),
        commit_size: run.commit_size,
        updates: workload.updates,
        updates_per_s: rate.per_second(),
        cpu_s_per_million: (watched.last.cpu_s - watched.first.cpu_s) * 1e6 / after_first as f64,
        // The commit after the snapshot's last one is as busy as the others, and the snapshot's own may be few.
        snapshot_rows_per_s: Rate::of(&commits[..commits.len().min(snapshot.len() + 2)]).per_second(),
        peak_mib: watched.last.peak_bytes as f64 / f64::from(1 << 20),
        commits: updates.len(),
        updates_per_commit: rate.events as f64 / rate.commits as f64,
        whole_s: watched.whole.as_secs_f64(),
    }
}

/// What was applied after the first of some commits, without the last of them, and the time that it took.
struct Rate {
    commits: usize,
    events: u64,
    ms: i64,
}

impl Rate {
    fn of(commits: &[Commit]) -> Self {
        match commits {
            [first, between @ .., _] if !between.is_empty() => {
                let last = between[between.len() - 1];
                let (events, ms) = (last.to - first.to, last.timestamp_ms - first.timestamp_ms);
                Self { commits: between.len(), events, ms }
            }
            _ => Self { commits: 0, events: 0, ms: 0 },
        }
    }

    /// Not a number when there are fewer than three commits.
    fn per_second(&self) -> f64 {
        self.events as f64 * 1000.0 / self.ms as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_leaves_out_the_first_commit_and_the_last() {
        let commit = |timestamp_ms, from, to| Commit { timestamp_ms, from, to };
        let commits = [commit(5000, 0, 100), commit(5500, 100, 300), commit(6000, 300, 400), commit(9000, 400, 410)];
        let rate = Rate::of(&commits);
        assert!((rate.per_second() - 300.0).abs() < 1e-9);
        assert_eq!(rate.commits, 2);
        assert!(Rate::of(&commits[..2]).per_second().is_nan());
    }
}
