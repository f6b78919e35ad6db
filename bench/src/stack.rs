//! What the runs share: Kafka with one full topic per format, the registry, S3.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tributary_e2e::stack::{Addresses, Part, S3_ACCESS_KEY, S3_REGION, S3_SECRET_KEY, Stack, StackOptions};

use crate::events::{Format, Messages};
use crate::peer::CHANGES;
use crate::resource::{BUCKET, Storage, topic_of};
use crate::workload::Workload;
use crate::{parts, registry, topic};

/// A private stack with the load in it.
pub(crate) struct BenchStack {
    stack: Stack,
    workload: Workload,
    runs: AtomicU32,
}

impl BenchStack {
    /// Starts the parts that are needed and fills a topic for each format.
    pub(crate) async fn up(workload: Workload, formats: &[Format], storages: &[Storage]) -> anyhow::Result<Self> {
        let mut parts = vec![Part::Kafka];
        parts.extend(formats.contains(&Format::Avro).then_some(Part::Registry));
        parts.extend(storages.contains(&Storage::S3).then_some(Part::S3));
        let stack = Stack::up(StackOptions::only(parts)).await?;
        if storages.contains(&Storage::S3) {
            stack.create_bucket(BUCKET).await?;
        }
        for &format in formats {
            fill(&stack, format, workload).await?;
        }
        Ok(Self { stack, workload, runs: AtomicU32::new(0) })
    }

    /// Where the parts listen.
    pub(crate) fn addresses(&self) -> &Addresses {
        self.stack.addresses()
    }

    /// What is in the topics.
    pub(crate) fn workload(&self) -> Workload {
        self.workload
    }

    /// A number that no other run of this stack has.
    pub(crate) fn next_number(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }

    /// The `commitSize` that makes commits of about as many changes as the peer's.
    pub(crate) async fn comparable_commit_size(&self, format: Format) -> anyhow::Result<u64> {
        let (messages, mut decoder) = parts::source(format, self.workload, Some(&self.stack)).await?;
        let bytes = parts::decoded_bytes_per_update(&messages, &mut decoder, self.workload.rows).await?;
        Ok((bytes * CHANGES as f64) as u64)
    }

    /// How `object_store` reaches a storage.
    pub(crate) fn storage_options(&self, storage: Storage) -> Vec<(String, String)> {
        let endpoint = self.addresses().s3_endpoint();
        let options: &[(&str, &str)] = match storage {
            Storage::Local => &[],
            Storage::S3 => &[
                ("aws_endpoint", &endpoint),
                ("aws_region", S3_REGION),
                ("aws_access_key_id", S3_ACCESS_KEY),
                ("aws_secret_access_key", S3_SECRET_KEY),
                ("aws_allow_http", "true"),
                ("aws_virtual_hosted_style_request", "false"),
            ],
        };
        options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

async fn fill(stack: &Stack, format: Format, workload: Workload) -> anyhow::Result<()> {
    let topic = topic_of(format)?;
    let messages = match format {
        Format::Json => Messages::json(workload)?,
        Format::Avro => {
            let (key, value) = registry::register(&stack.addresses().registry_url(), &topic).await?;
            Messages::avro(workload, key, value)?
        }
    };
    stack.create_topic(&topic, 1).await?;
    let (started, count) = (Instant::now(), messages.len());
    let bootstrap_servers = stack.addresses().bootstrap_servers();
    tokio::task::spawn_blocking(move || topic::fill(&bootstrap_servers, &topic, &messages)).await??;
    eprintln!("{count} {} messages are in Kafka after {:.0} s", format.name(), started.elapsed().as_secs_f64());
    Ok(())
}
