//! Removes what a pipeline had on its stack, so that the tests that come after it have the machine to themselves.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;
use tributary_crds::{CdcReplication, topic};
use tributary_sources::postgres::slot;

use crate::stack::{Part, Stack};

const PATIENCE: Duration = Duration::from_secs(15);

/// Removes connector, slot, topics and database. Best effort, and blocking: it is called while a test may be failing.
pub(super) fn remove(stack: &Stack, name: &str, resource: Option<&CdcReplication>) {
    let Some(resource) = resource else { return };
    std::thread::scope(|scope| {
        let all = async {
            let _ = tokio::time::timeout(PATIENCE, remove_all(stack, name, resource)).await;
        };
        scope.spawn(|| {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(all);
            }
        });
    });
}

async fn remove_all(stack: &Stack, name: &str, resource: &CdcReplication) -> anyhow::Result<()> {
    let running = stack.processes();
    if running.contains_key(&Part::Connect) {
        stack.delete_connector(name).await?;
    }
    if running.contains_key(&Part::Postgres) {
        remove_database(stack, name, resource).await?;
    }
    if running.contains_key(&Part::Kafka) {
        for table in &resource.spec.tables {
            let _ = stack.delete_topic(&topic::data(resource, table)).await;
        }
    }
    Ok(())
}

async fn remove_database(stack: &Stack, name: &str, resource: &CdcReplication) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(&stack.addresses().postgres_url("postgres"), NoTls).await?;
    tokio::spawn(connection);
    let (slot, deadline) = (slot(resource), Instant::now() + PATIENCE);
    // The deleted connector holds its slot a moment longer.
    let drop_slot = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";
    while client.execute(drop_slot, &[&slot]).await.is_err() && Instant::now() < deadline {
        sleep(Duration::from_millis(100)).await;
    }
    Ok(client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await?)
}
