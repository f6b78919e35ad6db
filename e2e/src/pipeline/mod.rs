//! One replication on a stack, for real: a database and names of its own, a connector, and the replicator as a process.

mod cleanup;
mod delta_log;
mod document;
mod messages;
mod replicator;
mod tables;
mod wait;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use tributary_crds::{CdcReplication, topic};
use tributary_operator::build::connector::{ConnectorSecrets, connector_config};
use tributary_sources::postgres::{Credentials, connect as connect_source, publish};

use crate::oracle::TableLocation;
use crate::stack::{Addresses, POSTGRES_PASSWORD, POSTGRES_USER, S3_ACCESS_KEY, S3_SECRET_KEY, Stack};

pub use delta_log::{Commit, DeltaLog, LogEnd, OffsetRange};
pub use document::{EventFormat, PipelineOptions};
pub use replicator::{Replicator, program as replicator_program};
pub use tables::{Phase, TableView};

/// The bucket that all pipelines of a stack share; each has a folder of its own in it.
pub const BUCKET: &str = "lake";

/// How long a wait may take. Generous: the machine may be slow and busy.
const PATIENCE: Duration = Duration::from_secs(150);

/// A database, a connector and a replicator, with names that nobody else on the stack has. When it is dropped, the
/// replicator is killed, and connector, slot and database are removed.
pub struct Pipeline {
    name: String,
    stack: Arc<Stack>,
    source: Client,
    folder: TempDir,
    document: Value,
    replicator: Option<Replicator>,
}

impl Pipeline {
    /// Creates the database and the resource; nothing runs yet.
    pub async fn create(stack: &Arc<Stack>, options: &PipelineOptions) -> anyhow::Result<Self> {
        let name = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let addresses = stack.addresses();
        connect(&addresses.postgres_url("postgres"))
            .await?
            .batch_execute(&format!("CREATE DATABASE \"{name}\""))
            .await
            .context("cannot create the pipeline's database")?;
        let source = connect(&addresses.postgres_url(&name)).await?;
        stack.create_bucket(BUCKET).await?;
        let folder = tempfile::Builder::new().prefix("tributary-pipeline-").tempdir()?;
        let port = crate::stack::free_port(addresses.bind)?;
        let document = document::document(&name, addresses, options, port);
        let pipeline = Self { name, stack: Arc::clone(stack), source, folder, document, replicator: None };
        pipeline.secret("database", &[("username", POSTGRES_USER), ("password", POSTGRES_PASSWORD)])?;
        pipeline.secret("lake", &[("AWS_ACCESS_KEY_ID", S3_ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", S3_SECRET_KEY)])?;
        Ok(pipeline)
    }

    /// Registers the connector and starts the replicator. The tables must exist.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.connect().await?;
        self.replicate()
    }

    /// Publishes the tables and registers the connector, with the configuration that follows from the resource.
    pub async fn connect(&self) -> anyhow::Result<()> {
        self.publish().await?;
        let secrets = ConnectorSecrets {
            username: POSTGRES_USER.to_owned(),
            password: POSTGRES_PASSWORD.to_owned(),
            registry: None,
        };
        let config = connector_config(&self.resource()?, &secrets, Some(1))?;
        self.stack.register_connector(&self.name, &config).await
    }

    /// Publishes the tables of the resource that there are, and no others, as the operator does.
    pub async fn publish(&self) -> anyhow::Result<()> {
        let resource = self.resource()?;
        let postgres = resource.spec.source.postgres.as_ref().context("the resource has no database")?;
        let credentials = Credentials { username: POSTGRES_USER.to_owned(), password: POSTGRES_PASSWORD.to_owned() };
        publish(&connect_source(postgres, &credentials).await?, &resource).await?;
        Ok(())
    }

    /// Writes the resource to its file and starts the replicator with it.
    pub fn replicate(&mut self) -> anyhow::Result<()> {
        let file = self.write_document()?;
        let secrets = self.folder.path().join("secrets");
        self.replicator = None;
        self.replicator = Some(Replicator::start(&file, &secrets, &self.log_path())?);
        Ok(())
    }

    /// Runs `replicator check` on the resource: how it ended, and what it printed.
    pub async fn check(&self) -> anyhow::Result<(ExitStatus, String)> {
        self.command("check", &[]).await
    }

    /// Runs `replicator resync` for one table.
    pub async fn resync(&self, table: &str) -> anyhow::Result<(ExitStatus, String)> {
        self.command("resync", &[table]).await
    }

    async fn command(&self, action: &str, arguments: &[&str]) -> anyhow::Result<(ExitStatus, String)> {
        let mut command = tokio::process::Command::new(replicator_program()?);
        command
            .args([action, "-f"])
            .arg(self.write_document()?)
            .arg("--secrets")
            .arg(self.folder.path().join("secrets"))
            .args(arguments);
        let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await??;
        Ok((output.status, String::from_utf8(output.stdout)?))
    }

    /// Starts another replicator of the same tables beside the first, with this commit interval.
    pub fn second_replicator(&self, commit_interval: &str) -> anyhow::Result<Rival> {
        let port = crate::stack::free_port(self.stack.addresses().bind)?;
        let mut document = self.document.clone();
        document["spec"]["replicator"]["httpPort"] = port.into();
        document["spec"]["replicator"]["commitInterval"] = commit_interval.into();
        let folder = self.folder.path();
        let file = folder.join("second.yaml");
        std::fs::write(&file, document.to_string())?;
        let replicator = Replicator::start(&file, &folder.join("secrets"), &folder.join("second.log"))?;
        Ok(Rival { url: format!("http://127.0.0.1:{port}"), _replicator: replicator })
    }

    /// Ends the replicator at once, as a crash would.
    pub fn kill_9(&mut self) {
        self.replicator = None;
    }

    /// Kills the replicator, if it runs, and starts it again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill_9();
        self.replicate()
    }

    /// Sends SIGTERM and waits for the end: how it ended, and after how long.
    pub async fn terminate(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        let mut replicator = self.replicator.take().context("the replicator does not run")?;
        let start = Instant::now();
        replicator.terminate();
        let status = replicator.until_ended(Duration::from_mins(1)).await.with_context(|| self.log_tail())?;
        Ok((status, start.elapsed()))
    }

    /// Has the running replicator start one table again.
    pub async fn restart_table(&self, table: &str) -> anyhow::Result<()> {
        let request = reqwest::Client::new().post(format!("{}/tables/{table}/restart", self.http_url()));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// The replicator's process.
    pub fn replicator(&mut self) -> anyhow::Result<&mut Replicator> {
        self.replicator.as_mut().context("the replicator does not run")
    }

    /// The source database. Not for comparisons while a transaction is open in it.
    pub fn source(&self) -> &Client {
        &self.source
    }

    /// A new session in the place of [`Pipeline::source`], after the server was started again or replaced.
    pub async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.source = self.session().await?;
        Ok(())
    }

    /// Another session of the source database.
    pub async fn session(&self) -> anyhow::Result<Client> {
        let port = self.document["spec"]["source"]["postgres"]["port"].as_u64().context("the resource has no port")?;
        let addresses = Addresses { postgres: u16::try_from(port)?, ..self.stack.addresses().clone() };
        connect(&addresses.postgres_url(&self.name)).await
    }

    /// The name of resource, database and connector.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stack that it runs on.
    pub fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }

    /// Changes the resource; the next start of the replicator has it.
    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.document);
    }

    /// The resource.
    pub fn resource(&self) -> anyhow::Result<CdcReplication> {
        Ok(tributary_crds::document::parse(&self.document.to_string())?)
    }

    /// Writes the files of a Secret that the resource refers to.
    pub fn secret(&self, name: &str, values: &[(&str, &str)]) -> anyhow::Result<()> {
        let folder = self.folder.path().join("secrets").join(name);
        std::fs::create_dir_all(&folder)?;
        values.iter().try_for_each(|(key, value)| Ok(std::fs::write(folder.join(key), value)?))
    }

    /// A folder that goes with the pipeline.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The topic of a table's events.
    pub fn topic(&self, table: &str) -> anyhow::Result<String> {
        Ok(topic::data(&self.resource()?, &tributary_crds::TableSpec::new(table)))
    }

    /// Where the Delta table of a source table is, reached without any gate.
    pub fn location(&self, table: &str) -> anyhow::Result<TableLocation> {
        let resource = self.resource()?;
        let spec = resource.spec.tables.iter().find(|spec| spec.name == table);
        let target = spec.with_context(|| format!("{table} is not in the resource"))?.target();
        let endpoint = self.stack.addresses().s3_endpoint();
        let uri = &resource.spec.destination.uri;
        Ok(TableLocation::s3(uri, &endpoint, S3_ACCESS_KEY, S3_SECRET_KEY).join(&target))
    }

    /// The commits of a table, from its Delta log.
    pub async fn delta_log(&self, table: &str) -> anyhow::Result<DeltaLog> {
        DeltaLog::read(&self.location(table)?).await
    }

    /// What the replicator says of its tables.
    pub async fn tables(&self) -> anyhow::Result<Vec<TableView>> {
        fetch_tables(&self.http_url()).await
    }

    /// The same for who asks often, with a client of his own.
    pub async fn tables_by(&self, http: &reqwest::Client) -> anyhow::Result<Vec<TableView>> {
        let request = http.get(format!("{}/tables", self.http_url())).timeout(Duration::from_secs(5));
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// What the replicator says of one table.
    pub async fn table(&self, name: &str) -> anyhow::Result<TableView> {
        let tables = self.tables().await?;
        tables.into_iter().find(|table| table.name == name).with_context(|| format!("/tables has no {name}"))
    }

    /// Whether the replicator is ready, and what it says about that.
    pub async fn ready(&self) -> anyhow::Result<(bool, String)> {
        let answer = self.get("readyz").await?;
        Ok((answer.status().is_success(), answer.text().await?))
    }

    /// The metrics in Prometheus's text format.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.get("metrics").await?.error_for_status()?.text().await?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        get(&self.http_url(), path).await
    }

    /// All that helps to understand why something did not happen.
    pub async fn diagnosis(&self) -> String {
        let tables = match self.get("tables").await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => format!("{error:#}"),
        };
        let connector = match self.stack.connectors().status(&self.name).await {
            Ok(Some(status)) => format!("{status:#?}"),
            Ok(None) => "not registered".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        format!("/tables: {tables}\nconnector: {connector}\nreplicator: {}", self.log_tail())
    }

    /// The last lines that the replicator logged.
    pub fn log_tail(&self) -> String {
        crate::stack::log_end(&self.log_path())
    }

    /// All that the replicator has logged, over all its starts.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.log_path())?)
    }

    /// The resource's file.
    pub fn write_document(&self) -> anyhow::Result<PathBuf> {
        let file = self.folder.path().join("resource.yaml");
        std::fs::write(&file, serde_json::to_string_pretty(&self.document)?)?;
        Ok(file)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("replicator.log")
    }

    fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.document["spec"]["replicator"]["httpPort"])
    }
}

/// A second replicator of the same tables.
pub struct Rival {
    url: String,
    _replicator: Replicator,
}

impl Rival {
    /// What it says of its tables.
    pub async fn tables(&self) -> anyhow::Result<Vec<TableView>> {
        fetch_tables(&self.url).await
    }
}

async fn fetch_tables(url: &str) -> anyhow::Result<Vec<TableView>> {
    Ok(get(url, "tables").await?.error_for_status()?.json().await?)
}

async fn get(url: &str, path: &str) -> anyhow::Result<reqwest::Response> {
    let request = reqwest::Client::new().get(format!("{url}/{path}"));
    Ok(request.timeout(Duration::from_secs(5)).send().await?)
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.replicator = None;
        cleanup::remove(&self.stack, &self.name, self.resource().ok().as_ref());
    }
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    Ok(client)
}
