//! `replicator status`: the tables of a running replicator, for people.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::TableState;

/// Nobody answers, or somebody else does.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// No connection, or no answer in time.
    #[error(
        "no replicator answers at {url}; start one with `replicator run -f FILE`, or say where it answers with -f FILE or --url"
    )]
    NoAnswer {
        /// What was asked.
        url: Url,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is not a list of tables.
    #[error("what answers at {url} is not a replicator of this version; check -f or --url")]
    NotAReplicator {
        /// What was asked.
        url: Url,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
}

/// Asks the replicator at `url` (`http://host:port`) for its tables.
pub async fn fetch(url: &Url) -> Result<Vec<TableState>, StatusError> {
    let mut url = url.clone();
    url.set_path("/tables");
    let no_answer = |source| StatusError::NoAnswer { url: url.clone(), source };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().map_err(no_answer)?;
    let response = client.get(url.clone()).send().await.map_err(no_answer)?;
    let tables = async { response.error_for_status()?.json().await };
    tables.await.map_err(|source| StatusError::NotAReplicator { url: url.clone(), source })
}

/// The tables in aligned columns, and below them what a person should read.
pub fn render(tables: &[TableState], now: Timestamp) -> String {
    if tables.is_empty() {
        return "this replicator has no tables\n".into();
    }
    let header = ["TABLE", "PHASE", "ROWS", "LAG", "MESSAGES", "VERSION", "COMMITS", "LAST COMMIT", "POSITION"];
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(tables.iter().map(|table| cells(table, now)));
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text: String = lines.iter().map(|line| align(line, &widths)).collect();
    for table in tables {
        let notes = table.message.iter().chain(&table.warnings);
        text.extend(notes.map(|note| format!("\n{}: {note}\n", table.name)));
    }
    text
}

fn cells(table: &TableState, now: Timestamp) -> [String; 9] {
    let unknown = || "-".to_owned();
    let phase = match table.snapshot_percent {
        Some(percent) => format!("{:?} {percent}%", table.phase),
        None => format!("{:?}", table.phase),
    };
    let since =
        |then: Timestamp| format!("{} ago", span((now.as_millisecond() - then.as_millisecond()) as f64 / 1000.0));
    [
        table.name.clone(),
        phase,
        table.rows.map_or_else(unknown, grouped),
        table.lag_seconds.map_or_else(unknown, span),
        table.lag_messages.map_or_else(unknown, grouped),
        table.delta_version.map_or_else(unknown, |version| version.to_string()),
        grouped(table.commits),
        table.last_commit.map_or_else(unknown, since),
        table.position.clone().unwrap_or_else(unknown),
    ]
}

/// Text to the left, numbers to the right.
fn align(cells: &[String], widths: &[usize]) -> String {
    let aligned = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        0 | 1 | 8 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    let line = aligned.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span of time in its largest sensible unit.
fn span(seconds: f64) -> String {
    match seconds.max(0.0) {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.0} h", seconds / 3600.0),
        seconds => format!("{:.0} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use tributary_crds::TablePhase as Phase;

    use super::*;

    fn users() -> TableState {
        TableState {
            name: "public.users".into(),
            phase: Phase::Snapshotting,
            rows: Some(120_000),
            snapshot_percent: Some(40),
            lag_seconds: Some(3.04),
            lag_messages: Some(180_000),
            delta_version: Some(17),
            commits: 18,
            last_commit: Some(Timestamp::from_second(88).unwrap()),
            position: Some("0/16B3748".into()),
            ..TableState::default()
        }
    }

    #[test]
    fn the_tables_are_aligned_and_their_messages_follow() {
        let orders = TableState {
            name: "public.orders".into(),
            message: Some("topic shop.orders does not exist yet".into()),
            warnings: vec!["NULL becomes 0 in column a".into()],
            ..TableState::default()
        };
        let text = render(&[orders, users()], Timestamp::from_second(100).unwrap());
        let expected = "\
TABLE          PHASE                ROWS    LAG  MESSAGES  VERSION  COMMITS  LAST COMMIT  POSITION
public.orders  Waiting                 -      -         -        -        0            -  -
public.users   Snapshotting 40%  120,000  3.0 s   180,000       17       18     12 s ago  0/16B3748

public.orders: topic shop.orders does not exist yet

public.orders: NULL becomes 0 in column a
";
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_and_spans_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let spans = [-1.0, 0.25, 59.6, 119.0, 300.0, 7200.0, 200_000.0].map(span);
        assert_eq!(spans, ["0.0 s", "0.2 s", "60 s", "119 s", "5 min", "2 h", "2 d"]);
    }

    #[tokio::test]
    async fn when_nobody_answers_it_says_what_to_do() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = fetch(&Url::parse(&format!("http://{free}")).unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(&free.to_string()) && error.contains("--url"), "{error}");
    }

    #[tokio::test]
    async fn what_a_running_replicator_says_is_rendered() {
        let board = super::super::Board::new(crate::consume::Budget::new(1));
        board.table("public.users", "u").waiting("the topic");
        let listener = super::super::listen(([127, 0, 0, 1], 0).into(), "--http").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(super::super::serve(listener, board, super::super::Restarts::new([]).0, std::future::pending()));
        let text = render(&fetch(&url).await.unwrap(), Timestamp::now());
        assert!(text.contains("public.users  Waiting") && text.contains("public.users: the topic"), "{text}");
    }
}
