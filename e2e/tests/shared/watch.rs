//! `CaughtUp` watched at each moment, beside what Postgres and the Delta tables really hold: is it ever True while they differ?
//!
//! A look at a table asks three times: what the product says, which version the table has, and what the product says now. Only if it said
//! the same twice, it counts. Whether the version equals the source is found out beside that: to read a table takes longer than to ask.
//! While it is watched the source must be quiet: a change that is on its way is no lie.

mod judge;
mod said;
mod verdict;

use std::time::Duration;

use tokio::time::Instant;
use tributary_crds::CdcReplication;
use tributary_e2e::cluster::Lab;
use tributary_e2e::compare::TablePair;

use super::Bench;
use judge::Judge;
use verdict::{Said, Sample};

pub(crate) use verdict::{Knows, Watched};

/// How long the tables may take to be right.
const PATIENCE: Duration = Duration::from_mins(4);
/// Between two rounds of looks.
const PAUSE: Duration = Duration::from_millis(100);

impl Bench {
    /// Watches these tables until each equals its source and the operator would say of it alone that it has caught up.
    pub(crate) async fn watch_until_caught_up(&self, tables: &[&str]) -> Watched {
        let resource = self.pipeline.resource().unwrap();
        let words: Vec<CdcReplication> = tables.iter().map(|table| said::of_one(&resource, table)).collect();
        let http = reqwest::Client::new();
        let says = async |table: usize| said::by_replicator(&self.pipeline, &http, &words[table]).await;
        let pairs = tables.iter().map(|table| TablePair::new(table, self.pipeline.location(table).unwrap())).collect();
        let watched = watch(Judge::new(self.pipeline.session().await.unwrap(), self.oracle.clone(), pairs), says).await;
        match watched {
            Ok(watched) => watched,
            Err(watched) => panic!("not right after {PATIENCE:?}: {watched}\n{}", self.pipeline.diagnosis().await),
        }
    }
}

/// Watches the tables of a resource in a cluster until all equal their sources and its condition says so of its newest generation.
pub(crate) async fn until_caught_up(lab: &Lab, name: &str, tables: &[&str]) -> Watched {
    let pairs = tables.iter().map(|table| TablePair::new(table, lab.table(name, table))).collect();
    let judge = Judge::new(lab.administrator().await.unwrap(), lab.oracle.clone(), pairs);
    let watched = watch(judge, async |_| said::by_operator(&lab.replications(), name).await).await;
    watched.unwrap_or_else(|watched| panic!("not right after {PATIENCE:?}: {watched}"))
}

/// Looks at the tables, and beside that reads them, until all are right in one round; the error is what was seen when that takes too long.
async fn watch(judge: Judge, says: impl AsyncFn(usize) -> Said) -> Result<Watched, Watched> {
    let mut looks = Vec::new();
    let all_right = tokio::select! {
        () = look_on(&judge, &says, &mut looks) => true,
        () = judge.read_on() => false,
        () = tokio::time::sleep(PATIENCE) => false,
    };
    let sample = |Look { table, at, said, version }| {
        let equal = judge.verdict(table, version)?;
        Some(Sample { table: judge.name(table), at, said, equal })
    };
    let watched = Watched { samples: looks.into_iter().filter_map(sample).collect() };
    if all_right {
        println!("{watched}");
        return Ok(watched);
    }
    Err(watched)
}

/// What was said of a table, and the version that it had.
struct Look {
    table: usize,
    at: Duration,
    said: Said,
    version: Option<u64>,
}

async fn look_on(judge: &Judge, says: &impl AsyncFn(usize) -> Said, looks: &mut Vec<Look>) {
    let (mut logs, start) = (judge.logs(), Instant::now());
    loop {
        let mut all_right = true;
        for (table, log) in logs.iter_mut().enumerate() {
            let (at, said) = (start.elapsed(), says(table).await);
            let version = log.version().await.unwrap();
            let counts = says(table).await.is_caught_up == said.is_caught_up;
            all_right &= counts && said.is_caught_up && judge.verdict(table, version) == Some(true);
            if counts {
                looks.push(Look { table, at, said, version });
            }
        }
        if all_right {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
