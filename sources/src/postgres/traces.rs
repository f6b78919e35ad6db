//! What is left in the catalogue of a change that was changed back: the row that says it was written by another transaction.
//!
//! Between the two, changes were sent in another way, or under another name, or not at all, and no later look would see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Session, SourceError};

/// By what they are about: object id → the transaction that wrote its row of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traces {
    /// The row type of the table, which has its name, schema and owner, and changes for nothing else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    name: BTreeMap<u32, u32>,
    /// The links of its partitions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    partitions: BTreeMap<u32, u32>,
    /// The unique indexes of the table and its partitions, each of which may be the replica identity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    identity: BTreeMap<u32, u32>,
    /// The labels of the enums among its columns.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<u32, u32>,
}

impl Traces {
    /// What was changed since `before`, and perhaps back, as the end of a sentence about the table.
    pub(super) fn since(&self, before: &Self) -> Option<&'static str> {
        let kinds = [
            (&before.name, &self.name, "was renamed, moved to another schema or given another owner"),
            (&before.partitions, &self.partitions, "has a partition that was detached and attached again"),
            (&before.identity, &self.identity, "has had another replica identity"),
            (&before.labels, &self.labels, "has an enum of which a label was renamed"),
        ];
        kinds.into_iter().find(|(before, now, _)| is_rewritten(before, now)).map(|(.., what)| what)
    }
}

/// Whether something that was there and is there has another row.
fn is_rewritten(before: &BTreeMap<u32, u32>, now: &BTreeMap<u32, u32>) -> bool {
    before.iter().any(|(oid, writer)| now.get(oid).is_some_and(|now| now != writer))
}

/// The traces of the table with this object id.
pub(super) async fn traces(session: &Session, table: u32) -> Result<Traces, SourceError> {
    let rows = session.query(TRACES, &[&table]).await;
    let mut traces = Traces::default();
    for row in rows.map_err(SourceError::statement("read the catalogue of a table"))? {
        let kind = match row.get(0) {
            "name" => &mut traces.name,
            "partition" => &mut traces.partitions,
            "identity" => &mut traces.identity,
            _ => &mut traces.labels,
        };
        kind.insert(row.get(1), row.get(2));
    }
    Ok(traces)
}

/// Enums may be the elements of arrays, and the base of domains. An index that is being built is written more than once.
const TRACES: &str = "
WITH RECURSIVE part (oid) AS (
    SELECT $1::oid
    UNION ALL
    SELECT link.inhrelid FROM part JOIN pg_inherits link ON link.inhparent = part.oid
), used (oid) AS (
    SELECT atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    UNION
    SELECT CASE WHEN type.typbasetype <> 0 THEN type.typbasetype ELSE type.typelem END
    FROM used JOIN pg_type type ON type.oid = used.oid AND (type.typbasetype <> 0 OR type.typelem <> 0)
)
SELECT 'name', type.oid, type.xmin::text::bigint::oid
FROM pg_class class JOIN pg_type type ON type.oid = class.reltype WHERE class.oid = $1
UNION ALL
SELECT 'partition', link.inhrelid, link.xmin::text::bigint::oid FROM part JOIN pg_inherits link ON link.inhparent = part.oid
UNION ALL
SELECT 'identity', index.indexrelid, index.xmin::text::bigint::oid
FROM part JOIN pg_index index ON index.indrelid = part.oid AND index.indisunique AND index.indisvalid
UNION ALL
SELECT 'label', label.oid, label.xmin::text::bigint::oid FROM used JOIN pg_enum label ON label.enumtypid = used.oid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_anew_was_changed_and_what_comes_or_goes_was_not() {
        let traces = |rows: &[(u32, u32)]| Traces { labels: rows.iter().copied().collect(), ..Traces::default() };
        let before = traces(&[(1, 7), (2, 7)]);
        assert_eq!(traces(&[(1, 7), (3, 9)]).since(&before), None);
        assert!(traces(&[(1, 7), (2, 9)]).since(&before).is_some());
        assert_eq!(before.since(&Traces::default()), None, "of a copy that an earlier version made");
    }
}
