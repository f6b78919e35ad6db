//! Whether a version of a Delta table equals its source: each is read once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::slice;
use std::time::Duration;

use tokio_postgres::Client;
use tributary_e2e::compare::{CompareError, TablePair, equal};
use tributary_e2e::oracle::{Oracle, OracleError};
use tributary_e2e::pipeline::LogEnd;

/// Between two rounds in which nothing is new.
const PAUSE: Duration = Duration::from_millis(100);

/// Compares tables whose sources nobody changes meanwhile.
pub(super) struct Judge {
    source: Client,
    oracle: Oracle,
    pairs: Vec<TablePair>,
    /// Table and version → whether it equals the source.
    verdicts: RefCell<HashMap<(usize, u64), bool>>,
}

impl Judge {
    /// In a session of its own, so that nobody else's transaction is in the way.
    pub(super) fn new(source: Client, oracle: Oracle, pairs: Vec<TablePair>) -> Self {
        Self { source, oracle, pairs, verdicts: RefCell::default() }
    }

    /// The ends of the tables' logs.
    pub(super) fn logs(&self) -> Vec<LogEnd> {
        self.pairs.iter().map(|pair| LogEnd::of(pair.target()).unwrap()).collect()
    }

    pub(super) fn name(&self, table: usize) -> String {
        self.pairs[table].source().to_owned()
    }

    /// Whether this version equals the source, if that is known. A table that is not there equals nothing.
    pub(super) fn verdict(&self, table: usize, version: Option<u64>) -> Option<bool> {
        let Some(version) = version else { return Some(false) };
        self.verdicts.borrow().get(&(table, version)).copied()
    }

    /// Reads each new version of each table, for as long as anybody wants to know.
    pub(super) async fn read_on(&self) {
        let mut logs = self.logs();
        loop {
            for (table, log) in logs.iter_mut().enumerate() {
                self.read(table, log).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(&self, table: usize, log: &mut LogEnd) {
        let Some(version) = log.version().await.unwrap() else { return };
        if self.verdict(table, Some(version)).is_some() {
            return;
        }
        let Some(equal) = self.is_equal(&self.pairs[table]).await else { return };
        // It becomes more like its source: what differs still has differed before.
        if !equal || log.version().await.unwrap() == Some(version) {
            self.verdicts.borrow_mut().insert((table, version), equal);
        }
    }

    async fn is_equal(&self, pair: &TablePair) -> Option<bool> {
        match equal(&self.source, &self.oracle, slice::from_ref(pair)).await {
            Ok(_) => Some(true),
            // Its files went while they were copied: those of a shadow that took its place.
            Err(CompareError::Oracle(OracleError::Copy { .. })) => None,
            Err(CompareError::Oracle(OracleError::Table { .. }) | CompareError::Different(_)) => Some(false),
            // The source has no such table, or one without a key.
            Err(CompareError::NoKey(_) | CompareError::Postgres { .. }) if !self.source.is_closed() => Some(false),
            Err(error) => panic!("{error:#}"),
        }
    }
}
