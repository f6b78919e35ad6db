//! Where to start reading a partition. Nothing is ever skipped: what is missing is an error.

use std::sync::Arc;

use super::ConsumeError;

/// A partition and what is to be read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRange {
    /// Kafka partition.
    pub partition: i32,
    /// The first offset that will be delivered.
    pub next: i64,
    /// The end of the partition when it was looked up: the offset after its last message.
    pub end: i64,
}

/// Where to go on in a partition that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The first offset that was not applied.
    pub next: i64,
    /// Kafka's timestamp of the message before it, milliseconds since the epoch, if it is known. The message that is
    /// there now must have the same: else the topic is another one.
    pub last_ts_ms: Option<i64>,
}

/// A partition as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What is to be read.
    pub(super) range: PartitionRange,
    /// The first offset that is still there.
    pub(super) low: i64,
    /// Timestamp of the message before `range.next`, if it is known.
    pub(super) last_ts_ms: Option<i64>,
}

/// What to read, given where to go on (`None`: from the beginning) and the partition's watermarks.
pub(super) fn start(
    topic: &Arc<str>,
    partition: i32,
    resume: Option<Resume>,
    (low, high): (i64, i64),
) -> Result<Found, ConsumeError> {
    let topic = topic.clone();
    let last_ts_ms = resume.and_then(|resume| resume.last_ts_ms);
    match resume.map(|resume| resume.next) {
        Some(resume) if resume > high => Err(ConsumeError::Recreated { topic, partition, resume, high }),
        Some(resume) if resume < low => Err(ConsumeError::Overtaken { topic, partition, resume, low }),
        None if low > 0 => Err(ConsumeError::BeginningDeleted { topic, partition, low }),
        next => {
            let range = PartitionRange { partition, next: next.unwrap_or(0), end: high };
            Ok(Found { range, low, last_ts_ms })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(resume: Option<i64>, watermarks: (i64, i64)) -> Result<PartitionRange, ConsumeError> {
        let resume = resume.map(|next| Resume { next, last_ts_ms: Some(5) });
        start(&"shop.orders".into(), 3, resume, watermarks).map(|found| found.range)
    }

    #[test]
    fn a_new_table_starts_at_the_beginning() {
        assert_eq!(from(None, (0, 10)).unwrap(), PartitionRange { partition: 3, next: 0, end: 10 });
        assert_eq!(from(None, (0, 0)).unwrap(), PartitionRange { partition: 3, next: 0, end: 0 });
    }

    #[test]
    fn a_known_table_goes_on_where_it_was() {
        assert_eq!(from(Some(7), (5, 10)).unwrap().next, 7);
        assert_eq!(from(Some(5), (5, 10)).unwrap().next, 5);
        assert_eq!(from(Some(10), (10, 10)).unwrap().next, 10);
    }

    #[test]
    fn an_offset_behind_the_end_says_that_the_topic_is_another_one() {
        let error = from(Some(11), (0, 10)).unwrap_err();
        assert!(matches!(error, ConsumeError::Recreated { resume: 11, high: 10, .. }));
        let text = error.to_string();
        assert!(text.contains("shop.orders, partition 3") && text.contains("created again"), "{text}");
    }

    #[test]
    fn an_offset_before_the_beginning_says_that_retention_was_faster() {
        let error = from(Some(4), (5, 10)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("offsets 4 to 5") && text.contains("retention"), "{text}");
    }

    #[test]
    fn a_topic_without_its_beginning_is_not_read_by_a_new_table() {
        let text = from(None, (5, 10)).unwrap_err().to_string();
        assert!(text.contains("first 5 messages") && text.contains("new snapshot"), "{text}");
    }
}
