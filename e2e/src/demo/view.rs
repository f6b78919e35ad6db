//! The live view: what is known of each table, as aligned lines and as one line. Pure.

use super::columns::{aligned, row};
use super::figures::grouped;
use super::replicator::TableState;

/// No line of the live view is longer, or it could not be drawn over.
const WIDTH: usize = 72;

/// One table of the live view.
#[derive(Clone, Debug, Default)]
pub(super) struct TableLine {
    name: String,
    phase: String,
    source_rows: u64,
    delta_rows: u64,
    snapshot_percent: Option<u8>,
    changes: u64,
    changes_per_second: Option<f64>,
    commits: u64,
    lag_seconds: Option<f64>,
    message: Option<String>,
}

impl TableLine {
    pub(super) fn new(state: &TableState, source_rows: u64, changes: u64, changes_per_second: Option<f64>) -> Self {
        Self {
            name: short(&state.name).to_owned(),
            phase: state.phase.clone(),
            source_rows,
            delta_rows: state.rows.unwrap_or(0),
            snapshot_percent: state.snapshot_percent,
            changes,
            changes_per_second,
            commits: state.commits,
            lag_seconds: state.lag_seconds,
            message: state.message.clone(),
        }
    }

    /// Delta has as many rows as Postgres.
    pub(super) fn is_complete(&self) -> bool {
        self.source_rows == self.delta_rows
    }

    /// How much of the table is in Delta: all of it when the replicator follows changes.
    fn copied_percent(&self) -> u64 {
        match self.phase.as_str() {
            "Streaming" => 100,
            _ if self.source_rows == 0 => 0,
            // By rows, not by messages: the topic itself is still being filled.
            _ => (self.delta_rows * 100 / self.source_rows).min(self.snapshot_percent.map_or(100, u64::from)),
        }
    }
}

/// The table's name without its schema: the demo has only one.
pub(super) fn short(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, table)| table)
}

/// While the tables are copied for the first time.
pub(super) fn snapshot_lines(tables: &[TableLine]) -> Vec<String> {
    let header = ["table", "phase", "rows in Postgres", "rows in Delta", "copied", "commits"];
    let cells = |table: &TableLine| {
        row([
            table.name.clone(),
            table.phase.clone(),
            grouped(table.source_rows),
            grouped(table.delta_rows),
            format!("{} %", table.copied_percent()),
            grouped(table.commits),
        ])
    };
    with_messages(aligned(&header, &tables.iter().map(cells).collect::<Vec<_>>()), tables)
}

/// The same in one line.
pub(super) fn snapshot_line(tables: &[TableLine]) -> String {
    let table =
        |table: &TableLine| format!("{} {} of {}", table.name, grouped(table.delta_rows), grouped(table.source_rows));
    tables.iter().map(table).collect::<Vec<_>>().join(", ")
}

/// While changes are followed.
pub(super) fn live_lines(tables: &[TableLine]) -> Vec<String> {
    let header = ["table", "rows in Postgres", "rows in Delta", "changes/s", "commits", "lag"];
    let cells = |table: &TableLine| {
        row([
            table.name.clone(),
            grouped(table.source_rows),
            grouped(table.delta_rows),
            table.changes_per_second.map_or_else(dash, |rate| grouped(rate.round() as u64)),
            grouped(table.commits),
            table.lag_seconds.map_or_else(dash, |lag| format!("{lag:.1} s")),
        ])
    };
    with_messages(aligned(&header, &tables.iter().map(cells).collect::<Vec<_>>()), tables)
}

/// When all changes have been followed.
pub(super) fn total_lines(tables: &[TableLine]) -> Vec<String> {
    let header = ["table", "rows in Postgres", "rows in Delta", "changes applied", "commits"];
    let cells = |table: &TableLine| {
        let numbers = [table.source_rows, table.delta_rows, table.changes, table.commits].map(grouped);
        std::iter::once(table.name.clone()).chain(numbers).collect()
    };
    aligned(&header, &tables.iter().map(cells).collect::<Vec<_>>())
}

/// The same as the live view in one line.
pub(super) fn live_line(tables: &[TableLine]) -> String {
    let rows =
        |table: &TableLine| format!("{} {} of {}", table.name, grouped(table.delta_rows), grouped(table.source_rows));
    let changes: f64 = tables.iter().filter_map(|table| table.changes_per_second).sum();
    let lag = tables.iter().filter_map(|table| table.lag_seconds).fold(0.0, f64::max);
    let rows: Vec<_> = tables.iter().map(rows).collect();
    format!("{}, {} changes/s, lag {lag:.1} s", rows.join(", "), grouped(changes.round() as u64))
}

fn dash() -> String {
    "-".to_owned()
}

/// Below the tables, what one of them waits for or has to say.
fn with_messages(mut lines: Vec<String>, tables: &[TableLine]) -> Vec<String> {
    for table in tables {
        if let Some(message) = &table.message {
            let text = format!("{}: {message}", table.name);
            lines.push(text.chars().take(WIDTH).collect());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> TableLine {
        TableLine {
            name: "orders".into(),
            phase: "Streaming".into(),
            source_rows: 1_200_431,
            delta_rows: 1_200_399,
            changes_per_second: Some(1_420.4),
            commits: 1_013,
            lag_seconds: Some(0.96),
            ..TableLine::default()
        }
    }

    fn users() -> TableLine {
        TableLine { name: "users".into(), phase: "Waiting".into(), source_rows: 20, ..TableLine::default() }
    }

    #[test]
    fn the_live_view_is_aligned_and_fits_on_a_terminal() {
        let lines = live_lines(&[orders(), users()]);
        let expected = [
            "table   rows in Postgres  rows in Delta  changes/s  commits    lag",
            "orders         1,200,431      1,200,399      1,420    1,013  1.0 s",
            "users                 20              0          -        0      -",
        ];
        assert_eq!(lines, expected);
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn the_snapshot_shows_how_much_is_copied_and_what_is_waited_for() {
        let waiting = TableLine { message: Some("x".repeat(200)), ..users() };
        let copying =
            TableLine { phase: "Snapshotting".into(), delta_rows: 600_215, snapshot_percent: Some(80), ..orders() };
        let lines = snapshot_lines(&[copying, waiting]);
        let expected = [
            "table          phase  rows in Postgres  rows in Delta  copied  commits",
            "orders  Snapshotting         1,200,431        600,215    49 %    1,013",
            "users        Waiting                20              0     0 %        0",
        ];
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3].len(), WIDTH);
    }

    #[test]
    fn without_a_terminal_one_line_says_it() {
        let tables = [orders(), users()];
        assert_eq!(live_line(&tables), "orders 1,200,399 of 1,200,431, users 0 of 20, 1,420 changes/s, lag 1.0 s");
        assert_eq!(snapshot_line(&tables), "orders 1,200,399 of 1,200,431, users 0 of 20");
    }
}
