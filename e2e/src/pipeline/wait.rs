//! Waiting for what is to come of a pipeline.

use std::time::Duration;

use super::{PATIENCE, Pipeline, TableView};
use crate::compare::{TablePair, Verdict, wait_until_equal};
use crate::oracle::Oracle;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(100);

impl Pipeline {
    /// Waits until a condition holds of the tables that the replicator reports. While it does not answer, none does.
    pub async fn wait_until(&self, what: &str, holds: impl Fn(&[TableView]) -> bool) -> anyhow::Result<()> {
        self.wait(what, async || self.tables().await.is_ok_and(|tables| holds(&tables))).await
    }

    /// Waits until any condition holds; the error shows all that is known.
    pub async fn wait(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        let held = async {
            while !holds().await {
                tokio::time::sleep(POLL).await;
            }
        };
        let reason = tokio::select! {
            () = held => return Ok(()),
            () = tokio::time::sleep(PATIENCE) => format!("waited {PATIENCE:?} in vain until {what}"),
            trace = self.until_connector_fails() => format!("waited until {what}, and the connector failed: {trace}"),
        };
        anyhow::bail!("{reason}\n{}", self.diagnosis().await)
    }

    /// Waits until a table's message contains a text, and returns the table.
    pub async fn until_message(&self, table: &str, text: &str) -> anyhow::Result<TableView> {
        let says = |view: &TableView| view.name == table && view.message.as_deref().unwrap_or("").contains(text);
        self.wait_until(&format!("{table} says \"{text}\""), |tables| tables.iter().any(says)).await?;
        self.table(table).await
    }

    /// Waits until these tables equal their sources, as `schema.table`.
    pub async fn until_equal(&self, oracle: &Oracle, tables: &[&str]) -> anyhow::Result<Verdict> {
        let pairs = tables.iter().map(|table| Ok(TablePair::new(table, self.location(table)?)));
        let pairs: Vec<_> = pairs.collect::<anyhow::Result<_>>()?;
        let result = tokio::select! {
            result = wait_until_equal(&self.source, oracle, &pairs, PATIENCE) => result.map_err(anyhow::Error::new),
            trace = self.until_connector_fails() => Err(anyhow::anyhow!("the connector failed: {trace}")),
        };
        match result {
            Ok(verdict) => Ok(verdict),
            // What is wrong comes first: what is printed of a failed test may be cut.
            Err(error) => Err(anyhow::anyhow!("{error:#}\n{}", self.diagnosis().await)),
        }
    }

    /// Returns the reason when the connector's task has failed: waiting on is then in vain.
    async fn until_connector_fails(&self) -> String {
        loop {
            if let Ok(Some(status)) = self.stack.connectors().status(&self.name).await
                && let Some(trace) = status.failure()
            {
                return trace.to_owned();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
