//! Where one test works: a namespace, a database and a database user of its own, and the reader that judges.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_postgres::NoTls;
use tributary_crds::CdcReplication;

use super::document::{BUCKET, DATABASE_SECRET, LAKE_SECRET};
use super::{Cluster, Document, Objects, PATIENCE, diagnosis, until, until_gone};
use crate::compare::{CompareError, TablePair, Verdict, equal, wait_until_equal};
use crate::oracle::{Oracle, TableLocation};
use crate::stack::{POSTGRES_PASSWORD, POSTGRES_USER, S3_ACCESS_KEY, S3_SECRET_KEY};

/// Labs at work at the same time: each has a Kafka and a Connect of its own.
static TURNS: Semaphore = Semaphore::const_new(3);

/// The place of one test.
pub struct Lab {
    /// The cluster it is in.
    pub cluster: Cluster,
    /// Its namespace; database, database user and folder in the bucket have the same name.
    pub namespace: String,
    /// A session in the database, as the user who owns it.
    pub source: tokio_postgres::Client,
    /// The reader that judges.
    pub oracle: Oracle,
}

/// Runs a test in a lab of its own. When it fails, the lab's events, resources and logs are printed. Then all is removed.
pub async fn in_lab<F: Future<Output = ()>>(test: impl FnOnce(Arc<Lab>) -> F) {
    let turn = TURNS.acquire().await;
    let lab = Arc::new(Lab::create().await.unwrap_or_else(|error| panic!("no lab: {error:#}")));
    // A panic must not skip the rest.
    let outcome = AssertUnwindSafe(Box::pin(test(Arc::clone(&lab)))).catch_unwind().await;
    if outcome.is_err() {
        eprintln!("{}", diagnosis::of(&lab.cluster.client, &lab.namespace).await);
    }
    let removed = match std::env::var_os("TRIBUTARY_KEEP_NAMESPACES") {
        Some(_) => Ok(()),
        None => lab.remove().await,
    };
    drop(turn);
    if let Err(error) = outcome {
        std::panic::resume_unwind(error);
    }
    removed.unwrap_or_else(|error| panic!("{} was not removed: {error:#}", lab.namespace));
}

impl Lab {
    async fn create() -> anyhow::Result<Self> {
        let cluster = Cluster::connect().await?;
        let namespace = format!("e2e-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let password = uuid::Uuid::new_v4().simple().to_string();
        create_namespace(&cluster.client, &namespace).await?;
        create_database(&cluster, &namespace, &password).await?;
        let source = session(&cluster, &namespace, &namespace, &password).await?;
        let lab = Self { cluster, namespace, source, oracle: Oracle::start().await? };
        lab.write_secret(DATABASE_SECRET, &[("username", &lab.namespace), ("password", &password)]).await?;
        let keys = [("AWS_ACCESS_KEY_ID", S3_ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", S3_SECRET_KEY)];
        lab.write_secret(LAKE_SECRET, &keys).await?;
        Ok(lab)
    }

    /// A resource of this lab that replicates these tables, with a Kafka of its own.
    pub fn document(&self, name: &str, tables: &[&str]) -> Document {
        Document::new(&self.cluster.services, &self.namespace, name, tables)
    }

    /// The resources of this lab.
    pub fn replications(&self) -> Api<CdcReplication> {
        Api::namespaced(self.cluster.client.clone(), &self.namespace)
    }

    /// Objects of a kind in this lab.
    pub fn objects(&self, api_version: &str, kind: &str) -> Objects {
        Objects::new(&self.cluster.client, &self.namespace, api_version, kind)
    }

    /// Objects of a kind of Strimzi's in this lab.
    pub fn strimzi(&self, kind: &str) -> Objects {
        Objects::strimzi(&self.cluster.client, &self.namespace, kind)
    }

    /// Does what `kubectl apply --server-side` does.
    pub async fn apply(&self, document: &Document) -> kube::Result<CdcReplication> {
        let parameters = PatchParams {
            field_validation: Some(kube::api::ValidationDirective::Strict),
            ..PatchParams::apply("user")
        };
        self.replications().patch(document.name(), &parameters.force(), &Patch::Apply(document.json())).await
    }

    /// Writes a Secret, new or anew.
    pub async fn write_secret(&self, name: &str, values: &[(&str, &str)]) -> anyhow::Result<()> {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
        let secret = Secret { metadata, string_data: Some(values), ..Secret::default() };
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        secrets.patch(name, &PatchParams::apply("user").force(), &Patch::Apply(&secret)).await?;
        Ok(())
    }

    /// Waits until a condition of a resource is `status`, and says so of the newest generation.
    pub async fn until_condition(&self, name: &str, condition: &str, status: &str) -> CdcReplication {
        let is = |resource: &CdcReplication| {
            let found =
                resource.status.iter().flat_map(|status| &status.conditions).find(|found| found.type_ == condition);
            found.is_some_and(|found| {
                found.status == status && found.observed_generation == resource.metadata.generation
            })
        };
        match until(&self.replications(), name, &format!("{condition} is {status}"), is).await {
            Ok(resource) => resource,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Waits until a resource has caught up.
    pub async fn until_caught_up(&self, name: &str) -> CdcReplication {
        self.until_condition(name, "CaughtUp", "True").await
    }

    /// Waits until the Delta tables of a resource equal their sources.
    pub async fn until_equal(&self, name: &str, tables: &[&str]) -> Verdict {
        self.until_equal_to(&self.source, name, tables).await
    }

    /// Waits until the Delta tables of a resource equal the tables of another source than the lab's.
    pub async fn until_equal_to(&self, source: &tokio_postgres::Client, name: &str, tables: &[&str]) -> Verdict {
        verdict(wait_until_equal(source, &self.oracle, &self.pairs(name, tables), PATIENCE).await)
    }

    /// Compares the Delta tables of a resource with their sources as they are now; they must be equal.
    pub async fn equal(&self, name: &str, tables: &[&str]) -> Verdict {
        self.equal_to(&self.source, name, tables).await
    }

    /// Compares the Delta tables of a resource with the tables of another source than the lab's; they must be equal.
    pub async fn equal_to(&self, source: &tokio_postgres::Client, name: &str, tables: &[&str]) -> Verdict {
        verdict(equal(source, &self.oracle, &self.pairs(name, tables)).await)
    }

    fn pairs(&self, name: &str, tables: &[&str]) -> Vec<TablePair> {
        tables.iter().map(|table| TablePair::new(table, self.table(name, table))).collect()
    }

    /// Where the Delta table of a table is.
    pub fn table(&self, name: &str, table: &str) -> TableLocation {
        let uri = format!("s3://{BUCKET}/{}/{name}/{}", self.namespace, table.replace('.', "/"));
        TableLocation::s3(&uri, &self.cluster.services.s3_endpoint_from_here, S3_ACCESS_KEY, S3_SECRET_KEY)
    }

    /// Runs SQL in the source database.
    pub async fn sql(&self, sql: &str) {
        if let Err(error) = self.source.batch_execute(sql).await {
            panic!("{sql}: {error}");
        }
    }

    /// The names in one column of the source's catalogue, such as those of its replication slots.
    pub async fn catalogue(&self, query: &str) -> Vec<String> {
        match self.source.query(query, &[]).await {
            Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
            Err(error) => panic!("{query}: {error}"),
        }
    }

    /// The replication slots of this lab's database.
    pub async fn slots(&self) -> Vec<String> {
        self.catalogue("SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()").await
    }

    /// The publications of this lab's database.
    pub async fn publications(&self) -> Vec<String> {
        self.catalogue("SELECT pubname::text FROM pg_publication").await
    }

    /// Another session in the database, as its owner, for a workload beside the test.
    pub async fn administrator(&self) -> anyhow::Result<tokio_postgres::Client> {
        session(&self.cluster, &self.namespace, POSTGRES_USER, POSTGRES_PASSWORD).await
    }

    async fn remove(&self) -> anyhow::Result<()> {
        let replications = self.replications();
        for resource in replications.list(&ListParams::default()).await? {
            replications.delete(&resource.name_any(), &DeleteParams::default()).await?;
            until_gone(&replications, &resource.name_any()).await?;
        }
        // Topics before their Kafka: without it their finalizer is never done.
        for kind in ["KafkaConnector", "KafkaConnect", "KafkaTopic", "KafkaUser", "Kafka", "KafkaNodePool"] {
            let objects = self.strimzi(kind);
            for name in objects.names().await? {
                let _ = objects.delete(&name).await;
            }
            for name in objects.names().await? {
                until_gone(objects.api(), &name).await?;
            }
        }
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        self.remove_database().await
    }

    async fn remove_database(&self) -> anyhow::Result<()> {
        let server = session(&self.cluster, "postgres", POSTGRES_USER, POSTGRES_PASSWORD).await?;
        let name = &self.namespace;
        let drop_slots = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1";
        let deadline = tokio::time::Instant::now() + PATIENCE;
        // A connector that was just deleted holds its slot a moment longer.
        while let Err(error) = server.execute(drop_slots, &[name]).await {
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "the slots of {name} stay in use: {error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        server.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await?;
        server.batch_execute(&format!("DROP ROLE IF EXISTS \"{name}\"")).await?;
        Ok(())
    }
}

async fn create_namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let test = std::thread::current().name().unwrap_or("unknown").to_owned();
    let annotations = [("tributary.dev/test".to_owned(), test)].into();
    let metadata = ObjectMeta { name: Some(name.into()), annotations: Some(annotations), ..ObjectMeta::default() };
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(client.clone(), name);
    until(&accounts, "default", "it was made with the namespace", |_| true).await?;
    Ok(())
}

/// A database whose owner may replicate it, and nothing else.
async fn create_database(cluster: &Cluster, name: &str, password: &str) -> anyhow::Result<()> {
    let server = session(cluster, "postgres", POSTGRES_USER, POSTGRES_PASSWORD).await?;
    server.batch_execute(&format!("CREATE ROLE \"{name}\" LOGIN REPLICATION PASSWORD '{password}'")).await?;
    server.batch_execute(&format!("CREATE DATABASE \"{name}\" OWNER \"{name}\"")).await?;
    Ok(())
}

async fn session(
    cluster: &Cluster,
    database: &str,
    user: &str,
    password: &str,
) -> anyhow::Result<tokio_postgres::Client> {
    let url = format!("postgresql://{user}:{password}@{}/{database}", cluster.services.postgres_from_here);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    Ok(client)
}

impl Lab {
    /// Changes the password of the database's user, in Postgres and in the Secret.
    pub async fn rotate_password(&self) -> anyhow::Result<()> {
        let password = uuid::Uuid::new_v4().simple().to_string();
        let name = &self.namespace;
        self.administrator().await?.batch_execute(&format!("ALTER ROLE \"{name}\" PASSWORD '{password}'")).await?;
        self.write_secret(DATABASE_SECRET, &[("username", name), ("password", &password)]).await
    }

    /// Tells Kubernetes something of a resource, such as an annotation, as `kubectl patch --type merge` does.
    pub async fn patch(&self, name: &str, patch: serde_json::Value) -> kube::Result<()> {
        let mut patch = patch;
        patch["apiVersion"] = json!("tributary.dev/v1alpha1");
        patch["kind"] = json!("CdcReplication");
        self.replications().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop)
    }

    /// Deletes a resource and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        let replications = self.replications();
        if let Err(error) = replications.delete(name, &DeleteParams::default()).await {
            panic!("{name} cannot be deleted: {error}");
        }
        if let Err(error) = until_gone(&replications, name).await {
            panic!("{error:#}");
        }
    }
}

fn verdict(compared: Result<Verdict, CompareError>) -> Verdict {
    match compared {
        Ok(verdict) => verdict,
        Err(error) => panic!("{:#}", anyhow::Error::new(error)),
    }
}
