//! The demo: a shop's Postgres becomes Delta tables on S3, which stay equal while the shop works. Everything is real.

mod columns;
mod ending;
mod figures;
mod follow;
mod kubectl;
mod kubernetes;
mod look;
mod place;
mod replicator;
mod resource;
mod screen;
mod source;
mod verdict;
mod view;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;
use tributary_operator::build::connector::connector_config;

use crate::node::Node;
use crate::oracle::Oracle;
use crate::stack::{Connectors, Part, PortClaims, Stack};
use figures::grouped;
use replicator::Replicator;
use resource::{Place, ShopResource};
use screen::Screen;
use watch::Watch;

pub use kubernetes::run as run_on_kubernetes;
pub use place::{default_directory, stop};

/// What to show.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Orders that the shop starts with; a tenth as many users, and 1,000 products.
    pub orders: u32,
    /// How long the workload runs.
    pub workload: Duration,
    /// Leave everything running in the end.
    pub keep: bool,
    /// Folder for data, logs, the resource and its Secrets. `None`: a temporary one, or [`default_directory`] if it is kept.
    pub directory: Option<PathBuf>,
    /// How the changes are written to Kafka.
    pub format: EventFormat,
}

/// How the changes are written to Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EventFormat {
    /// JSON with schemas.
    Json,
    /// Avro, with a schema registry.
    Avro,
}

/// Runs the demo from start to end. An error when anything fails, also when the tables are not equal in the end.
/// Whatever was started is stopped when the future ends or is dropped.
pub async fn run(options: &DemoOptions) -> anyhow::Result<()> {
    let mut screen = Screen::new(8);
    screen.say("Tributary demo: the Postgres of a shop becomes Delta tables on S3, which stay equal while it works.");
    let mut demo = Demo::set_up(options, &mut screen).await?;
    let result = async {
        demo.start_replication(options, &mut screen).await?;
        demo.show(options, &mut screen).await
    };
    let result = result.await;
    if result.is_ok() && options.keep { demo.leave(&mut screen) } else { demo.stop(options, &mut screen, result).await }
}

/// Downloads, installs and builds what a demo needs, and starts nothing.
pub async fn fetch(kubernetes: bool) -> anyhow::Result<()> {
    Stack::fetch(Part::ALL.into()).await?;
    Oracle::fetch().await?;
    if kubernetes { Node::fetch().await } else { Ok(()) }
}

/// Everything that runs. Fields are dropped in this order: the replicator first.
struct Demo {
    replicator: Option<Replicator>,
    reader: Oracle,
    source: Client,
    shop: ShopResource,
    connectors: Connectors,
    replication_started: Instant,
    http_port: u16,
    _claim: PortClaims,
    stack: Stack,
}

impl Demo {
    /// Services, shop and reader.
    async fn set_up(options: &DemoOptions, screen: &mut Screen) -> anyhow::Result<Self> {
        let registry = if options.format == EventFormat::Avro { ", a schema registry" } else { "" };
        screen.step(&format!("Start PostgreSQL, Kafka, Kafka Connect with Debezium{registry} and S3 (LocalStack)"));
        if let Some(directory) = place::directory(options) {
            place::check(&directory)?;
        }
        let (http_port, claim) = place::http_port(options)?;
        let stack = Stack::up(place::stack_options(options)).await?;
        let shop = ShopResource::new(stack.addresses(), Place::Machine(http_port), options.format)?;
        shop.write(stack.directory())?;
        // Needed in the end only, but it may have to be built, and that may fail.
        let reader = Oracle::start().await?;
        screen.done("all of them answer");

        screen.step("Create the shop in Postgres");
        let source = source::create(stack.addresses(), shop.database(), options.orders).await?;
        let tables = shop.tables();
        let counts = source::count(&source, &tables).await?;
        let counted =
            tables.iter().zip(counts).map(|(table, rows)| format!("{} {}", grouped(rows), view::short(table)));
        screen.done(&counted.collect::<Vec<_>>().join(", "));
        let connectors = Connectors::at(stack.addresses().connect_url());
        Ok(Self {
            replicator: None,
            reader,
            source,
            shop,
            connectors,
            replication_started: Instant::now(),
            http_port,
            _claim: claim,
            stack,
        })
    }

    /// Bucket, connector and replicator, all by the one resource.
    async fn start_replication(&mut self, options: &DemoOptions, screen: &mut Screen) -> anyhow::Result<()> {
        screen.step("Publish the tables and register the Debezium connector, as the resource examples/shop.yaml says");
        self.stack.create_bucket(self.shop.bucket()).await?;
        self.shop.publish().await?;
        let config = connector_config(self.shop.resource(), &ShopResource::connector_secrets(), None)?;
        self.connectors.register(self.shop.name(), &config).await?;
        screen.done("it runs");

        screen.step("Start the replicator: replicator run -f shop.yaml --secrets secrets");
        let directory = self.stack.directory();
        self.replication_started = Instant::now();
        self.replicator = Some(Replicator::start(directory, self.http_port, place::lifetime(options)).await?);
        screen.done("it answers");
        Ok(())
    }

    /// Snapshot, workload and comparison.
    async fn show(&mut self, options: &DemoOptions, screen: &mut Screen) -> anyhow::Result<()> {
        let tables = self.shop.tables();
        let pairs = self.shop.pairs(self.stack.addresses());
        let mut watch = Watch {
            stack: &self.stack,
            connectors: &self.connectors,
            connector: self.shop.name(),
            replicator: self.replicator.as_mut().context("the replicator has not been started")?,
            source: &self.source,
            tables: &tables,
            history: Vec::new(),
        };
        screen.step("Copy the rows that are there (the snapshot)");
        follow::snapshot(&mut watch, self.replication_started, screen).await?;

        let session = source::connect(self.stack.addresses(), self.shop.database()).await?;
        screen.step(&format!("Follow the changes of a workload, for {} s", options.workload.as_secs()));
        let counts = follow::workload(&mut watch, &session, options.workload, screen).await?;
        follow::catch_up(&mut watch, &counts, screen).await?;

        screen.step("Compare Postgres (read by SQL) with Delta (read by the Java kernel), row by row");
        let found = verdict::compare(&self.source, &self.reader, &pairs).await?;
        screen.last(&found.lines());
        anyhow::ensure!(found.is_equal(), "the tables are DIFFERENT:\n{}", found.sentence());
        screen.done(&found.sentence());
        Ok(())
    }
}
