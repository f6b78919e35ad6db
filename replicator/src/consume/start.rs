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

/// The range to read, given the offset to go on from (`None`: from the beginning) and the partition's watermarks.
pub(super) fn start(
    topic: &Arc<str>,
    partition: i32,
    resume: Option<i64>,
    (low, high): (i64, i64),
) -> Result<PartitionRange, ConsumeError> {
    let topic = topic.clone();
    match resume {
        Some(resume) if resume > high => Err(ConsumeError::Recreated { topic, partition, resume, high }),
        Some(resume) if resume < low => Err(ConsumeError::Overtaken { topic, partition, resume, low }),
        None if low > 0 => Err(ConsumeError::BeginningDeleted { topic, partition, low }),
        resume => Ok(PartitionRange { partition, next: resume.unwrap_or(0), end: high }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(resume: Option<i64>, watermarks: (i64, i64)) -> Result<PartitionRange, ConsumeError> {
        start(&"shop.orders".into(), 3, resume, watermarks)
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
