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
/// Delta log: the last one may have waited for more events until its interval was over. Of fewer than three commits all
/// are counted, from the one before them on. `None`: there is nothing to divide.
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
    pub(crate) updates_per_s: Option<f64>,
    /// CPU seconds of the replicator per million updates.
    pub(crate) cpu_s_per_million: Option<f64>,
    /// Rows of the snapshot a second.
    pub(crate) snapshot_rows_per_s: Option<f64>,
    /// The most memory of the whole run, in MiB.
    pub(crate) peak_mib: f64,
    /// Commits with updates.
    pub(crate) commits: usize,
    /// Updates in one commit, on average over all but the last one.
    pub(crate) updates_per_commit: Option<f64>,
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
    let rate = Rate::of(snapshot.last(), updates);
    Measured {
        format: run.format.name(),
        storage: run.storage.name(),
        commit_size: run.commit_size,
        updates: workload.updates,
        updates_per_s: rate.per_second(),
        cpu_s_per_million: ratio((watched.last.cpu_s - watched.first.cpu_s) * 1e6, after_first as f64),
        // The commit after the snapshot's last one is as busy as the others, and the snapshot's own may be few.
        snapshot_rows_per_s: Rate::of(None, &commits[..commits.len().min(snapshot.len() + 2)]).per_second(),
        peak_mib: watched.last.peak_bytes as f64 / f64::from(1 << 20),
        commits: updates.len(),
        updates_per_commit: ratio(rate.events as f64, rate.commits as f64),
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
    /// Of fewer than three commits nothing is left out, and the time begins with the commit `before` them.
    fn of(before: Option<&Commit>, commits: &[Commit]) -> Self {
        let few = || (before.or(commits.first()), commits.last(), before.map_or(1, |_| 0));
        let (first, last, left_out) = match commits {
            [first, _, .., last, _] | [first, last, _] => (Some(first), Some(last), 2),
            _ => few(),
        };
        let (Some(first), Some(last)) = (first, last) else { return Self { commits: 0, events: 0, ms: 0 } };
        let commits = commits.len() - left_out;
        Self { commits, events: last.to - first.to, ms: last.timestamp_ms - first.timestamp_ms }
    }

    fn per_second(&self) -> Option<f64> {
        ratio(self.events as f64 * 1000.0, self.ms as f64)
    }
}

fn ratio(of: f64, to: f64) -> Option<f64> {
    (to > 0.0).then(|| of / to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_leaves_out_the_first_commit_and_the_last() {
        let commit = |timestamp_ms, from, to| Commit { timestamp_ms, from, to };
        let commits = [commit(5000, 0, 100), commit(5500, 100, 300), commit(6000, 300, 400), commit(9000, 400, 410)];
        let rate = Rate::of(None, &commits);
        assert_eq!((rate.per_second(), rate.commits), (Some(300.0), 2));
    }

    #[test]
    fn updates_that_all_land_in_one_commit_are_measured_from_the_last_of_the_snapshot() {
        let commit = |timestamp_ms, from, to| Commit { timestamp_ms, from, to };
        let (snapshot, updates) = (commit(5000, 0, 100), [commit(5500, 100, 300)]);
        let rate = Rate::of(Some(&snapshot), &updates);
        assert_eq!((rate.per_second(), rate.commits), (Some(400.0), 1));
        assert_eq!(Rate::of(None, &updates).per_second(), None);
        assert_eq!(Rate::of(None, &[]).per_second(), None);
    }
}
