//! A stack with the shop's orders in it.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tributary_e2e::oracle::Oracle;
use tributary_e2e::pipeline::{EventFormat, Pipeline, PipelineOptions};
use tributary_e2e::shop;
use tributary_e2e::stack::{Part, Stack, StackOptions};

use crate::events::Format;
use crate::measure::COMMIT_INTERVAL;

/// The table that is copied.
pub(super) const TABLE: &str = "public.orders";

/// What all runs share: the services, and a database in the care of a pipeline that never starts.
pub(super) struct Shop {
    pub(super) stack: Arc<Stack>,
    pub(super) oracle: Oracle,
    pub(super) rows: u32,
    pub(super) database: Pipeline,
    format: Format,
}

impl Shop {
    /// Starts what is needed and fills the table. It is vacuumed, so that no run finds more to do in it than the others.
    pub(super) async fn open(rows: u32, format: Format) -> anyhow::Result<Self> {
        let mut parts = vec![Part::Postgres, Part::Kafka, Part::Connect, Part::S3];
        parts.extend((format == Format::Avro).then_some(Part::Registry));
        let stack = Arc::new(Stack::up(StackOptions::only(parts)).await?);
        let oracle = Oracle::start().await?;
        let database = Pipeline::create(&stack, &PipelineOptions::json(&[TABLE])).await?;
        let started = Instant::now();
        shop::create(database.source()).await?;
        shop::seed(database.source(), rows).await?;
        // Each in a transaction of its own.
        for statement in ["VACUUM (FREEZE, ANALYZE) orders", "CHECKPOINT"] {
            database.source().batch_execute(statement).await?;
        }
        eprintln!("{rows} orders are in Postgres after {:.0} s", started.elapsed().as_secs_f64());
        Ok(Self { stack, oracle, rows, database, format })
    }

    /// A pipeline with names of its own that reads the table; everything but what is given is left at its default.
    pub(super) async fn pipeline(&self, connections: u32) -> anyhow::Result<Pipeline> {
        let format = match self.format {
            Format::Json => EventFormat::Json,
            Format::Avro => EventFormat::Avro,
        };
        let options = PipelineOptions::json(&[TABLE]).format(format).commit_interval(COMMIT_INTERVAL);
        let mut pipeline = Pipeline::create(&self.stack, &options).await?;
        let database = self.database.name();
        pipeline.edit(|document| {
            let spec = &mut document["spec"];
            spec["source"]["postgres"]["database"] = database.into();
            spec["replicator"]["copy"] = json!({ "connections": connections });
            if let Some(replicator) = spec["replicator"].as_object_mut() {
                replicator.remove("memory");
            }
        });
        Ok(pipeline)
    }
}
