//! Asks a part whether it can do its work.

use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Addresses, Part, buckets};

/// Ok when the part answers a real request; else what it said. Takes at most a few seconds.
pub async fn probe(part: Part, addresses: &Addresses) -> anyhow::Result<()> {
    match part {
        Part::Postgres => postgres(addresses).await,
        Part::Kafka => kafka(addresses).await,
        Part::Connect => answers(&format!("{}/connectors", addresses.connect_url())).await,
        Part::Registry => answers(&format!("{}/subjects", addresses.registry_url())).await,
        Part::S3 => buckets::list(addresses).await.map(drop),
    }
}

async fn postgres(addresses: &Addresses) -> anyhow::Result<()> {
    let url = addresses.postgres_url("postgres");
    let connect = tokio_postgres::connect(&url, tokio_postgres::NoTls);
    let (client, connection) = tokio::time::timeout(Duration::from_secs(3), connect).await??;
    tokio::select! {
        answer = client.simple_query("SELECT 1") => answer.map(drop)?,
        ended = connection => ended?,
    }
    Ok(())
}

/// The broker is ready when it lists itself. The port is tried first: librdkafka logs a refused connection as an error.
async fn kafka(addresses: &Addresses) -> anyhow::Result<()> {
    let port = tokio::net::TcpStream::connect((addresses.bind, addresses.kafka));
    tokio::time::timeout(Duration::from_secs(3), port).await??;
    let servers = addresses.bootstrap_servers();
    let brokers = tokio::task::spawn_blocking(move || -> anyhow::Result<usize> {
        let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", servers).create()?;
        Ok(consumer.fetch_metadata(None, Duration::from_secs(3))?.brokers().len())
    });
    anyhow::ensure!(brokers.await?? > 0, "Kafka lists no broker yet");
    Ok(())
}

async fn answers(url: &str) -> anyhow::Result<()> {
    let answer = reqwest::Client::new().get(url).timeout(Duration::from_secs(5)).send().await?;
    answer.error_for_status().with_context(|| format!("{url} is not ready"))?;
    Ok(())
}
