//! Starting one table again while the others go on: asked for over HTTP, by an annotation, by a command.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::sync::mpsc;
use url::Url;

use super::StatusError;

/// Takes the wish that a table be started again to whoever supervises it. Cheap to clone.
#[derive(Clone)]
pub struct Restarts {
    names: Arc<BTreeSet<String>>,
    sender: mpsc::UnboundedSender<String>,
}

impl Restarts {
    /// For the tables `names`; the names of those that are to be started again come out of the receiver.
    pub fn new(names: impl IntoIterator<Item = String>) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { names: Arc::new(names.into_iter().collect()), sender }, receiver)
    }

    /// Asks for a restart; false when there is no such table.
    pub fn restart(&self, name: &str) -> bool {
        // Nobody supervises any more when the process ends.
        self.names.contains(name) && self.sender.send(name.to_owned()).is_ok()
    }
}

/// A table was not started again.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// Nobody answers, or somebody else does.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// There is no such table.
    #[error("the replicator at {url} has no table {table}; `replicator status` lists those that it has")]
    UnknownTable {
        /// What was asked for.
        table: String,
        /// Who was asked.
        url: Url,
    },
}

/// Asks the replicator at `url` (`http://host:port`) to start `table` again.
pub async fn restart(url: &Url, table: &str) -> Result<(), RestartError> {
    let mut request = url.clone();
    if let Ok(mut segments) = request.path_segments_mut() {
        segments.clear().extend(["tables", table, "restart"]);
    }
    let no_answer = |source| StatusError::NoAnswer { url: url.clone(), source };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().map_err(no_answer)?;
    let response = client.post(request).send().await.map_err(no_answer)?;
    if response.status() == StatusCode::NOT_FOUND {
        return Err(RestartError::UnknownTable { table: table.to_owned(), url: url.clone() });
    }
    let not_ours = |source| StatusError::NotAReplicator { url: url.clone(), source };
    response.error_for_status().map_err(not_ours)?;
    Ok(())
}
