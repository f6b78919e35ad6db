//! The demo on Kubernetes: `helm install`, `kubectl apply`, and the tables appear. What a user would type is shown as it runs.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;
use tributary_crds::CdcReplication;

use super::figures::{grouped, span};
use super::kubectl::{Kubectl, Watching};
use super::resource::{Place, ShopResource};
use super::screen::Screen;
use super::source::Position;
use super::{DemoOptions, look, source, verdict, view};
use crate::cluster::{Cluster, LocalCluster, until};
use crate::oracle::Oracle;
use crate::shop::Workload;

/// Transactions per second of the workload.
const RATE: u32 = 200;
/// The same changes in every demo.
const SEED: u64 = 1;
const NAMESPACE: &str = "default";

/// Runs the demo from start to end. An error when anything fails, also when the tables are not equal in the end. Everything that
/// was started ends with the future.
pub async fn run(options: &DemoOptions) -> anyhow::Result<()> {
    let mut screen = Screen::new(8);
    screen.say("Tributary demo: one resource on Kubernetes keeps Delta tables on S3 equal to the Postgres of a shop.");
    screen.step(
        "Start a Kubernetes of one node, PostgreSQL, S3 (LocalStack) and Strimzi (played; Kafka and Debezium are real)",
    );
    let mut local = LocalCluster::up().await?;
    local.load_images().await?;
    screen.done("all of them answer");
    Box::pin(Demo { options, local: &mut local, screen: &mut screen }.show()).await?;
    screen.step("Stop everything");
    drop(local);
    screen.done("nothing is left running");
    screen.say(&format!("\nThat took {}.", span(screen.elapsed())));
    Ok(())
}

struct Demo<'a> {
    options: &'a DemoOptions,
    local: &'a mut LocalCluster,
    screen: &'a mut Screen,
}

impl Demo<'_> {
    async fn show(mut self) -> anyhow::Result<()> {
        self.screen.step("helm install tributary charts/tributary --namespace tributary-system --create-namespace");
        self.local.install_operator(&[]).await?;
        let cluster = self.local.describe().await?;
        self.screen.done("the operator is ready");

        let shop = ShopResource::new(self.local.addresses(), Place::Kubernetes, self.options.format)?;
        let kubectl = Kubectl::new(self.local.environment(), NAMESPACE);
        let reader = Oracle::start().await?;
        let database = self.create_shop(&shop).await?;
        let watching = self.apply(&shop, &kubectl).await?;
        Box::pin(self.follow(&cluster, &shop, &database, watching)).await?;
        self.compare(&shop, &database, &reader).await?;
        self.delete(&kubectl, &shop).await
    }

    async fn create_shop(&mut self, shop: &ShopResource) -> anyhow::Result<Client> {
        self.screen.step("Create the shop in Postgres");
        let client = source::create(self.local.addresses(), shop.database(), self.options.orders).await?;
        let tables = shop.tables();
        let counts = source::count(&client, &tables).await?;
        let counted =
            tables.iter().zip(counts).map(|(table, rows)| format!("{} {}", grouped(rows), view::short(table)));
        self.screen.done(&counted.collect::<Vec<_>>().join(", "));
        Ok(client)
    }

    /// Secrets and resource, as a user applies them; from then on `kubectl get cdc --watch` is shown.
    async fn apply(&mut self, shop: &ShopResource, kubectl: &Kubectl) -> anyhow::Result<Watching> {
        self.screen
            .step("kubectl apply -f examples/kubernetes.yaml (with the addresses of these services), and two Secrets");
        for secret in shop.secrets()?.chunks(2) {
            kubectl.create_secret(secret).await?;
        }
        kubectl.apply(shop.text()).await?;
        self.screen.done("applied");
        self.screen.step("kubectl get cdc shop --watch, until it has caught up");
        kubectl.watch(shop.name())
    }

    /// Until the snapshot is there, and then through a workload.
    async fn follow(
        &mut self,
        cluster: &Cluster,
        shop: &ShopResource,
        database: &Client,
        mut watching: Watching,
    ) -> anyhow::Result<()> {
        let replications = kube::Api::<CdcReplication>::namespaced(cluster.client.clone(), NAMESPACE);
        let started = Instant::now();
        let caught_up = until(&replications, shop.name(), "it has caught up", is_caught_up);
        let resource = watching.show_until(self.screen, self.local, caught_up).await??;
        self.screen.done(&format!(
            "the tables are there {} after the resource: {}",
            span(started.elapsed()),
            rows(&resource)
        ));

        let seconds = self.options.workload;
        self.screen.step(&format!(
            "Follow the changes of a workload, for {} s, {RATE} transactions a second",
            seconds.as_secs()
        ));
        let session = source::connect(self.local.addresses(), shop.database()).await?;
        let deadline = Instant::now() + seconds;
        let mut workload = Workload::new(SEED, RATE);
        let work = workload.run_while(&session, |_| Instant::now() >= deadline);
        let counts = watching.show_until(self.screen, self.local, work).await?.context("the workload failed")?;
        let position = source::change_every_table(database).await?;
        let last = Instant::now();
        let arrived = until(&replications, shop.name(), "the last transaction is there", |it| is_at(it, position));
        watching.show_until(self.screen, self.local, arrived).await??;
        self.screen.note(&counts.to_string());
        self.screen.done(&format!("the status said so {} after the last commit", seconds_of(last.elapsed())));
        Ok(())
    }

    async fn compare(&mut self, shop: &ShopResource, database: &Client, reader: &Oracle) -> anyhow::Result<()> {
        self.screen.step("Compare Postgres (read by SQL) with Delta (read by the Java kernel), row by row");
        let pairs = shop.pairs(self.local.addresses());
        let found = verdict::compare(database, reader, &pairs).await?;
        self.screen.last(&found.lines());
        anyhow::ensure!(found.is_equal(), "the tables are DIFFERENT:\n{}", found.sentence());
        self.screen.done(&found.sentence());
        Ok(())
    }

    /// The end: the resource goes, or everything stays until Ctrl-C.
    async fn delete(&mut self, kubectl: &Kubectl, shop: &ShopResource) -> anyhow::Result<()> {
        if self.options.keep {
            return self.keep(shop).await;
        }
        for line in kubectl.delete(shop.name()).await?.lines() {
            self.screen.note(line);
        }
        Ok(())
    }

    async fn keep(&mut self, shop: &ShopResource) -> anyhow::Result<()> {
        self.screen.say("\nEverything goes on running until Ctrl-C. To use it from another terminal:\n");
        for (name, value) in self.local.environment() {
            self.screen.say(&format!("export {name}={}", value.to_string_lossy()));
        }
        let addresses = self.local.addresses();
        self.screen.say(&format!("\nkubectl get cdc shop\npsql {}", addresses.postgres_url(shop.database())));
        let pairs = shop.pairs(addresses);
        let orders = pairs.iter().find(|pair| pair.source() == "public.orders").context("the example has no orders")?;
        self.screen.say(&format!("\n{}", look::lines(&addresses.s3_endpoint(), orders.target().uri())));
        Ok(tokio::signal::ctrl_c().await?)
    }
}

fn is_caught_up(resource: &CdcReplication) -> bool {
    let conditions = resource.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| {
        condition.type_ == "CaughtUp"
            && condition.status == "True"
            && condition.observed_generation == resource.metadata.generation
    })
}

/// Whether each table has the changes up to this position.
fn is_at(resource: &CdcReplication, position: Position) -> bool {
    let tables = resource.status.iter().flat_map(|status| &status.tables);
    let mut positions = tables.map(|table| table.position.as_deref().and_then(Position::parse));
    positions.all(|at| at.is_some_and(|at| at >= position))
}

fn rows(resource: &CdcReplication) -> String {
    let tables = resource.status.iter().flat_map(|status| &status.tables);
    let counted = tables.map(|table| {
        let rows = table.rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
        format!("{} {}", grouped(rows), view::short(&table.name))
    });
    counted.collect::<Vec<_>>().join(", ")
}

fn seconds_of(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
