//! Progress as `txn` actions of the Delta log: the only place from which a restart continues.

use std::collections::HashMap;

use super::log::Txn;
use crate::change::{PartitionProgress, Position, Progress, SnapshotId};

const NEXT_OFFSET: &str = "next-offset";
const COMMIT_LSN: &str = "source-commit-lsn";
const LSN: &str = "source-lsn";
const TS_MS: &str = "source-ts-ms";
const MESSAGE_TS_MS: &str = "message-ts-ms";
const SNAPSHOT_LSN: &str = "snapshot-lsn";
const SNAPSHOT_TS_MS: &str = "snapshot-ts-ms";
/// Stands for what is not known.
const UNKNOWN: i64 = -1;

/// Name of one value of one partition: `tributary/<topic>/<partition>/<what>`.
fn app_id(topic: &str, partition: i32, what: &str) -> String {
    format!("tributary/{topic}/{partition}/{what}")
}

/// The actions that say how far each partition was applied. Partitions from 0 to the last one all appear, so that a
/// reader knows where to stop.
pub(super) fn txns(topic: &str, progress: &PartitionProgress) -> Vec<Txn> {
    let last = progress.keys().next_back().copied().unwrap_or(-1);
    let mut txns = Vec::new();
    for partition in 0..=last {
        let of = progress.get(&partition).copied().unwrap_or_default();
        let mut push = |what, version| txns.push(Txn { app_id: app_id(topic, partition, what), version });
        push(NEXT_OFFSET, of.next_offset);
        let position = of.position.unwrap_or_default();
        push(COMMIT_LSN, position.commit_lsn as i64);
        push(LSN, position.lsn as i64);
        push(TS_MS, of.source_ts_ms);
        push(MESSAGE_TS_MS, of.message_ts_ms.unwrap_or(UNKNOWN));
        push(SNAPSHOT_LSN, of.snapshot.map_or(UNKNOWN, |snapshot| snapshot.lsn as i64));
        push(SNAPSHOT_TS_MS, of.snapshot.map_or(UNKNOWN, |snapshot| snapshot.source_ts_ms));
    }
    txns
}

/// How far each partition was applied, by what a version of the log says; `None` when it says nothing of the topic.
pub(super) fn of_txns(topic: &str, txns: &[Txn]) -> Option<PartitionProgress> {
    let versions: HashMap<&str, i64> = txns.iter().map(|txn| (txn.app_id.as_str(), txn.version)).collect();
    let progress = read(topic, |app_id| Ok::<_, std::convert::Infallible>(versions.get(app_id).copied()));
    progress.ok().filter(|progress| !progress.is_empty())
}

/// How far each partition was applied, by what `version` knows of each application.
pub(super) fn read<E>(
    topic: &str,
    mut version: impl FnMut(&str) -> Result<Option<i64>, E>,
) -> Result<PartitionProgress, E> {
    let mut progress = PartitionProgress::new();
    for partition in 0.. {
        let mut version = |what| version(&app_id(topic, partition, what));
        let Some(next_offset) = version(NEXT_OFFSET)? else { break };
        let commit_lsn = version(COMMIT_LSN)?.unwrap_or_default() as u64;
        let lsn = version(LSN)?.unwrap_or_default() as u64;
        let source_ts_ms = version(TS_MS)?.unwrap_or_default();
        let message_ts_ms = version(MESSAGE_TS_MS)?.filter(|&time| time != UNKNOWN);
        let snapshot_lsn = version(SNAPSHOT_LSN)?.filter(|&lsn| lsn != UNKNOWN);
        let snapshot_ts_ms = version(SNAPSHOT_TS_MS)?.unwrap_or(UNKNOWN);
        let snapshot = snapshot_lsn.map(|lsn| SnapshotId { lsn: lsn as u64, source_ts_ms: snapshot_ts_ms });
        let position = (lsn != 0).then_some(Position { commit_lsn, lsn });
        progress.insert(partition, Progress { next_offset, position, source_ts_ms, message_ts_ms, snapshot });
    }
    Ok(progress)
}
