//! The snapshot and the workload, as they are watched.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Client;

use super::figures::{clock, grouped, span};
use super::screen::Screen;
use super::source;
use super::view;
use super::watch::{Observation, Stall, Watch};
use crate::shop::{Counts, Workload};

/// Transactions per second of the workload.
const RATE: u32 = 200;

/// The same changes in every demo.
const SEED: u64 = 1;

/// Watches until all rows that were there at `start`, when the replicator was started, are in Delta.
pub(super) async fn snapshot(watch: &mut Watch<'_>, start: Instant, screen: &mut Screen) -> anyhow::Result<()> {
    let mut stall = Stall::new();
    let mut ticks = interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let last = loop {
        ticks.tick().await;
        let seen = watch.look().await?;
        if seen.is_copied() {
            break seen;
        }
        stall.check(&seen.tables, watch.replicator)?;
        screen.live(&view::snapshot_lines(&seen.lines), &view::snapshot_line(&seen.lines));
    };
    screen.last(&view::snapshot_lines(&last.lines));
    for table in &last.tables {
        for warning in &table.warnings {
            screen.note(&format!("note on {}: {warning}", view::short(&table.name)));
        }
    }
    let rows: u64 = last.tables.iter().filter_map(|table| table.rows).sum();
    let rate = rows as f64 / start.elapsed().as_secs_f64();
    screen.done(&format!(
        "{} rows copied, {} rows/s from the replicator's start on",
        grouped(rows),
        grouped(rate as u64)
    ));
    Ok(())
}

/// Runs the workload for this long and shows every second where each table is.
pub(super) async fn workload(
    watch: &mut Watch<'_>,
    session: &Client,
    duration: Duration,
    screen: &mut Screen,
) -> anyhow::Result<Counts> {
    screen.note(&format!(
        "{RATE} transactions a second: inserts, updates, deletes, key changes, several tables in one, some rolled back"
    ));
    let start = Instant::now();
    // What the workload has done so far; `None` once it has ended.
    let counts = Cell::new(Some(Counts::default()));
    let work = async {
        let stop = |so_far: &Counts| {
            counts.set(Some(*so_far));
            start.elapsed() >= duration
        };
        let total = Workload::new(SEED, RATE).run_while(session, stop).await.context("the workload failed")?;
        counts.set(None);
        Ok(total)
    };
    let show = async {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(counts) = counts.get() {
            ticks.tick().await;
            let seen = watch.look().await?;
            let lines = [
                vec![headline(start.elapsed().min(duration), duration, &counts), String::new()],
                view::live_lines(&seen.lines),
            ];
            let line = format!("{} {}", clock(start.elapsed()), view::live_line(&seen.lines));
            screen.live(&lines.concat(), &line);
        }
        Ok::<_, anyhow::Error>(())
    };
    // When one of them fails, the other ends with it.
    let (total, ()) = futures::future::try_join(work, show).await?;
    Ok(total)
}

fn headline(elapsed: Duration, duration: Duration, counts: &Counts) -> String {
    let changes = grouped(counts.rows());
    format!(
        "{} of {}   {} transactions, {changes} changed rows",
        clock(elapsed),
        clock(duration),
        grouped(counts.transactions)
    )
}

/// Changes each table once more, and waits until that is in Delta too.
pub(super) async fn catch_up(watch: &mut Watch<'_>, counts: &Counts, screen: &mut Screen) -> anyhow::Result<()> {
    let position = source::change_every_table(watch.source).await?;
    let committed = Instant::now();
    watch.until_at(position).await?;
    let caught_up = committed.elapsed();
    let seen = watch.look().await?;
    screen.last(&view::total_lines(&seen.lines));
    screen.note(&in_words(counts));
    screen.note(&format!("the last transaction was in all Delta tables {} after its commit", span(caught_up)));
    Ok(())
}

fn in_words(counts: &Counts) -> String {
    let Counts { transactions, rolled_back, inserts, updates, deletes, key_changes, .. } = *counts;
    let [transactions, rolled_back, inserts, updates, deletes, key_changes] =
        [transactions, rolled_back, inserts, updates, deletes, key_changes].map(grouped);
    format!(
        "{transactions} transactions: {inserts} inserts, {updates} updates, {deletes} deletes, {key_changes} key changes; \
         {rolled_back} more rolled back"
    )
}

impl Observation {
    /// Every table follows changes, and has the rows that its source has.
    fn is_copied(&self) -> bool {
        self.tables.iter().all(|table| table.phase == "Streaming")
            && self.lines.iter().all(view::TableLine::is_complete)
    }
}
