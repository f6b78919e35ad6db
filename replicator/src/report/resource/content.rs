//! What the resource's status says of a table.

use tributary_crds::TableStatus;

use super::super::TableState;

/// A message is cut here: 200 tables in trouble must fit into one resource.
const LONGEST_MESSAGE: usize = 1000;

/// One entry of `status.tables` for each table.
pub(super) fn entries(tables: Vec<TableState>) -> Vec<TableStatus> {
    tables.into_iter().map(entry).collect()
}

fn entry(table: TableState) -> TableStatus {
    TableStatus {
        name: table.name,
        phase: table.phase,
        rows: table.rows.map(|rows| rows as i64),
        snapshot_percent: table.snapshot_percent.map(i32::from),
        lag_seconds: table.lag_seconds.map(|seconds| seconds.round() as i64),
        lag_bytes: table.lag_bytes.map(|bytes| bytes as i64),
        delta_version: table.delta_version.map(|version| version as i64),
        position: table.position,
        compared: table.compared,
        message: message(table.message, &table.warnings),
    }
}

/// What is wrong; else what somebody should know.
fn message(message: Option<String>, warnings: &[String]) -> Option<String> {
    let mut text = message.or_else(|| (!warnings.is_empty()).then(|| warnings.join("; ")))?;
    if let Some((end, _)) = text.char_indices().nth(LONGEST_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use tributary_crds::TablePhase;

    use super::*;

    #[test]
    fn an_entry_has_whole_seconds() {
        let table = TableState {
            name: "public.users".into(),
            phase: TablePhase::Snapshotting,
            rows: Some(120_000),
            snapshot_percent: Some(40),
            lag_seconds: Some(2.6),
            lag_bytes: Some(4096),
            delta_version: Some(17),
            position: Some("0/16B3748".into()),
            commits: 3,
            ..TableState::default()
        };
        let json = serde_json::to_value(entries(vec![table])).unwrap();
        assert_eq!(
            json,
            serde_json::json!([{
                "name": "public.users", "phase": "Snapshotting", "rows": 120_000, "snapshotPercent": 40,
                "lagSeconds": 3, "lagBytes": 4096, "deltaVersion": 17, "position": "0/16B3748",
            }])
        );
    }

    #[test]
    fn a_warning_is_told_while_nothing_is_wrong_and_a_long_message_is_cut() {
        let warned = TableState { warnings: vec!["a".into(), "b".into()], ..TableState::default() };
        assert_eq!(entry(warned.clone()).message.as_deref(), Some("a; b"));
        let failed = TableState { message: Some("ü".repeat(2000)), ..warned };
        let message = entry(failed).message.unwrap();
        assert_eq!(message.chars().count(), LONGEST_MESSAGE + 1);
        assert!(message.ends_with("ü…"));
    }
}
