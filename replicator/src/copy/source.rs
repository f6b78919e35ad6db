//! The database that tables are copied from.

use std::sync::Arc;

use tokio::sync::Mutex;
use tributary_crds::TableSpec;
use tributary_sources::postgres::{self, Membership, Position, Session, SourceError};

use super::Allowance;
use crate::settings::SourceSettings;

/// The database that one table is copied from.
#[derive(Clone)]
pub struct CopySource {
    /// How it is reached.
    pub settings: Arc<SourceSettings>,
    /// The table.
    pub table: TableSpec,
    /// What all tables of this process may take together.
    pub allowance: Arc<Allowance>,
    /// The session in which the tables of this process are looked at, one after the other.
    pub looks: Looks,
}

/// One session for many short questions.
pub type Looks = Arc<Mutex<Option<Session>>>;

impl CopySource {
    pub(super) async fn connect(&self) -> Result<Session, SourceError> {
        postgres::connect(&self.settings.postgres, &self.settings.credentials).await
    }

    /// Schema and name of the table.
    pub(super) fn names(&self) -> (&str, &str) {
        // The schema of the resource demands the dot.
        self.table.name.split_once('.').unwrap_or(("", &self.table.name))
    }

    pub(super) async fn membership(&self, session: &Session) -> Result<Option<Membership>, SourceError> {
        let (schema, table) = self.names();
        postgres::membership(session, &self.settings.publication, schema, table).await
    }

    pub(super) async fn position(&self, session: &Session) -> Result<Position, SourceError> {
        postgres::position(session).await
    }
}
