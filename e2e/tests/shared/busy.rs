//! A shop with a workload: what most tests of the whole path start from.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tributary_e2e::pipeline::PipelineOptions;
use tributary_e2e::shop::{self, Counts, Workload};
use tributary_e2e::stack::Stack;

use super::Bench;

const NEWCOMER: &str = "INSERT INTO users (name, email) VALUES ('newcomer', 'newcomer@example.com')";

impl Bench {
    /// A shop with so many orders, whose changes are to be committed every 200 ms; nothing replicates it yet.
    pub(crate) async fn shop(orders: u32) -> Self {
        Self::shop_on(&super::stack().await, orders).await
    }

    /// The same on another stack than the shared one.
    pub(crate) async fn shop_on(stack: &Arc<Stack>, orders: u32) -> Self {
        let bench = Self::on(stack, &PipelineOptions::json(&shop::TABLES).commit_interval("200ms")).await;
        shop::create(bench.pipeline.source()).await.unwrap();
        shop::seed(bench.pipeline.source(), orders).await.unwrap();
        bench
    }

    /// The same with its tables on the local disk and a commit every second.
    pub(crate) async fn shop_on_disk(orders: u32) -> Self {
        let mut bench = Self::shop(orders).await;
        let uri = format!("file://{}", bench.pipeline.folder().join("lake").display());
        bench.pipeline.edit(|document| {
            document["spec"]["destination"] = json!({ "uri": uri });
            document["spec"]["replicator"]["commitInterval"] = "1s".into();
        });
        bench
    }

    /// Changes the shop, in a session of its own, until it is told to stop; `rate` is in transactions per second.
    pub(crate) async fn workload(&self, seed: u64, rate: u32) -> Running {
        let source = self.pipeline.session().await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let run = async move { Workload::new(seed, rate).run_while(&source, |_| *stopped.borrow()).await.unwrap() };
        Running { stop, work: tokio::spawn(run) }
    }

    /// Adds users, so many a second and one at a time, until it is told to stop; no other rows change.
    pub(crate) async fn newcomers(&self, rate: u32) -> Running {
        let source = self.pipeline.session().await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let run = async move {
            let mut pace = tokio::time::interval(Duration::from_secs(1) / rate);
            let mut counts = Counts::default();
            while !*stopped.borrow() {
                pace.tick().await;
                counts.inserts += source.execute(NEWCOMER, &[]).await.unwrap();
                counts.transactions += 1;
            }
            counts
        };
        Running { stop, work: tokio::spawn(run) }
    }

    /// Waits until the shop's tables equal their sources. Then their Delta logs must say that each offset was applied once.
    pub(crate) async fn until_equal_and_applied_once(&self) {
        self.until_equal(&shop::TABLES).await;
        for table in shop::TABLES {
            let log = self.pipeline.delta_log(table).await.unwrap();
            let end = log.check_offsets(&self.pipeline.topic(table).unwrap()).unwrap();
            println!("{table}: {} offset ranges up to {end}, each applied once", log.offset_ranges().len());
        }
    }
}

/// A workload at work.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    work: JoinHandle<Counts>,
}

impl Running {
    /// Lets it finish its transaction; what it has committed.
    pub(crate) async fn stop(self) -> Counts {
        self.stop.send(true).unwrap();
        self.work.await.unwrap()
    }
}
