//! Watches everything that runs: where each table is on both sides, and whether something has failed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;

use super::replicator::{Replicator, TableState};
use super::source::{self, Position};
use super::view::TableLine;
use crate::stack::{Connectors, Stack};

/// Changes per second are those of this last while, so that the figure does not jump with every commit.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// How long a wait may go on without anything moving.
const PATIENCE: Duration = Duration::from_mins(2);

/// The demo's look at the running system.
pub(super) struct Watch<'a> {
    pub(super) stack: &'a Stack,
    pub(super) connectors: &'a Connectors,
    pub(super) connector: &'a str,
    pub(super) replicator: &'a mut Replicator,
    pub(super) source: &'a Client,
    /// As `schema.table`.
    pub(super) tables: &'a [String],
    pub(super) history: Vec<VecDeque<(Instant, u64)>>,
}

/// What there was to see at one moment, for each table.
pub(super) struct Observation {
    pub(super) tables: Vec<TableState>,
    pub(super) lines: Vec<TableLine>,
}

impl Watch<'_> {
    /// Looks once. An error when something has ended or failed.
    pub(super) async fn look(&mut self) -> anyhow::Result<Observation> {
        let tables = self.states().await?;
        let rows = source::count(self.source, self.tables).await?;
        let changes = self.replicator.changes().await?;
        let now = Instant::now();
        self.history.resize_with(tables.len(), VecDeque::new);
        let lines = tables.iter().zip(rows).zip(&mut self.history).map(|((state, source_rows), history)| {
            let changes = changes.get(&state.name).copied().unwrap_or(0);
            TableLine::new(state, source_rows, changes, rate(history, now, changes))
        });
        Ok(Observation { lines: lines.collect(), tables })
    }

    /// The replicator's tables in our order. An error when something has ended or failed.
    async fn states(&mut self) -> anyhow::Result<Vec<TableState>> {
        self.replicator.check()?;
        if let Some(what) = self.stack.ended() {
            anyhow::bail!("{what}");
        }
        let status = self.connectors.status(self.connector).await?;
        if let Some(trace) = status.as_ref().and_then(|status| status.failure()) {
            anyhow::bail!("the connector {} failed:\n{trace}", self.connector);
        }
        let answer = self.replicator.tables().await.context("the replicator does not answer")?;
        if let Some(table) = answer.iter().find(|table| table.phase == "Stopped") {
            let message = table.message.as_deref().unwrap_or("no message");
            anyhow::bail!("the table {} stopped: {message}\n{}", table.name, self.replicator.log_end());
        }
        // In its first moments the replicator answers, and does not know all tables yet.
        let unknown =
            |name: &String| TableState { name: name.clone(), phase: "Waiting".into(), ..TableState::default() };
        let state = |name: &String| {
            let found = answer.iter().find(|table| table.name == *name);
            found.cloned().unwrap_or_else(|| unknown(name))
        };
        Ok(self.tables.iter().map(state).collect())
    }

    /// Waits until each Delta table has the changes up to this position.
    pub(super) async fn until_at(&mut self, position: Position) -> anyhow::Result<()> {
        let behind = |table: &TableState| {
            let at = table.position.as_deref().and_then(Position::parse);
            at.is_none_or(|at| at < position)
        };
        let mut stall = Stall::new();
        loop {
            let tables = self.states().await?;
            if !tables.iter().any(behind) {
                return Ok(());
            }
            stall.check(&tables, self.replicator)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Ends a wait in which nothing moves any more.
pub(super) struct Stall {
    seen: Vec<TableState>,
    since: Instant,
}

impl Stall {
    pub(super) fn new() -> Self {
        Self { seen: Vec::new(), since: Instant::now() }
    }

    pub(super) fn check(&mut self, tables: &[TableState], replicator: &Replicator) -> anyhow::Result<()> {
        // The lag grows by itself.
        let seen: Vec<_> = tables.iter().map(|table| TableState { lag_seconds: None, ..table.clone() }).collect();
        if seen != self.seen {
            *self = Self { seen, since: Instant::now() };
        }
        anyhow::ensure!(
            self.since.elapsed() < PATIENCE,
            "nothing has moved for {} s:\n{}\n{}",
            PATIENCE.as_secs(),
            tables.iter().map(describe).collect::<Vec<_>>().join("\n"),
            replicator.log_end()
        );
        Ok(())
    }
}

fn describe(table: &TableState) -> String {
    let message = table.message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
    let position = table.position.as_deref().unwrap_or("no position");
    format!("  {} is {} at {position}{message}", table.name, table.phase)
}

/// Changes per second over the last while; `None` before two looks.
fn rate(history: &mut VecDeque<(Instant, u64)>, now: Instant, changes: u64) -> Option<f64> {
    history.push_back((now, changes));
    while history.len() > 2 && now - history[1].0 >= RATE_WINDOW {
        history.pop_front();
    }
    let (then, before) = *history.front()?;
    let seconds = (now - then).as_secs_f64();
    (seconds > 0.0).then(|| changes.saturating_sub(before) as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut history = VecDeque::new();
        assert_eq!(rate(&mut history, start, 1000), None);
        let rates: Vec<_> = (1..=20)
            .map(|second| rate(&mut history, start + Duration::from_secs(second), 1000 + second * 10))
            .collect();
        assert!(rates.iter().all(|rate| *rate == Some(10.0)), "{rates:?}");
        let later = start + Duration::from_secs(40);
        assert_eq!(rate(&mut history, later, 1200), Some(0.0));
        assert!(history.len() <= 7);
    }
}
