//! A node with Strimzi's definitions, a database beside it, and the stand-in; and words to say what a test wants.

use std::time::{Duration, Instant};

use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;
use tributary_e2e::node::{Node, NodeOptions};
use tributary_e2e::stack::{POSTGRES_PASSWORD, POSTGRES_USER, Part, Stack, StackOptions};
use tributary_e2e::strimzi::{Strimzi, StrimziOptions};

/// The namespace of a test.
pub(super) const NAMESPACE: &str = "lake";

/// Everything that a test of the stand-in needs.
pub(super) struct Playground {
    pub(super) strimzi: Option<Strimzi>,
    pub(super) stack: Stack,
    pub(super) folder: TempDir,
    client: Client,
    node: Node,
}

impl Playground {
    /// With a namespace, a table `users` with one row, and the database's password in the Secret `pg`.
    pub(super) async fn new() -> Self {
        let node = Node::up(NodeOptions::default()).await.unwrap();
        node.install_strimzi_crds().await.unwrap();
        let options = StackOptions { bind: node.host_address().into(), ..StackOptions::only([Part::Postgres]) };
        let stack = Stack::up(options).await.unwrap();
        let file = Kubeconfig::read_from(node.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut playground = Self { strimzi: None, stack, folder, client, node };
        playground.start().await;
        playground.prepare().await;
        playground
    }

    /// Starts the stand-in, also after it was stopped.
    pub(super) async fn start(&mut self) {
        let options = StrimziOptions {
            refresh: Duration::from_secs(2),
            ..StrimziOptions::new(self.node.kubeconfig(), self.node.host_address().into(), self.folder.path())
        };
        self.strimzi = Some(Strimzi::start(options).await.unwrap());
    }

    async fn prepare(&self) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        self.apply(namespace).await;
        self.secret(POSTGRES_PASSWORD).await;
        self.sql("CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'Ada')").await;
    }

    pub(super) async fn secret(&self, password: &str) {
        let data = json!({"user": POSTGRES_USER, "password": password});
        self.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pg"}, "stringData": data})).await;
    }

    pub(super) async fn sql(&self, sql: &str) {
        let url = self.stack.addresses().postgres_url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version) = match kind {
            "Namespace" | "Secret" => ("", "v1"),
            "Role" | "RoleBinding" => ("rbac.authorization.k8s.io", "v1"),
            _ => ("kafka.strimzi.io", "v1"),
        };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match kind {
            "Namespace" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), NAMESPACE, &resource),
        }
    }

    /// Creates a resource or changes it.
    pub(super) async fn apply(&self, resource: Value) {
        let (kind, name) = (resource["kind"].as_str().unwrap(), resource["metadata"]["name"].as_str().unwrap());
        let parameters = PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..manager() };
        self.api(kind).patch(name, &parameters, &Patch::Apply(&resource)).await.unwrap();
    }

    /// Changes a resource.
    pub(super) async fn change(&self, kind: &str, name: &str, patch: Value) {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub(super) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        Some(serde_json::to_value(self.api(kind).get_opt(name).await.unwrap()?).unwrap())
    }

    pub(super) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until a resource is as a condition says, and returns it.
    pub(super) async fn until(&self, kind: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_mins(3);
        loop {
            let resource = self.get(kind, name).await.unwrap_or_default();
            if holds(&resource) {
                return resource;
            }
            assert!(
                Instant::now() < deadline,
                "waited 3 min in vain for {kind} {name}: {:#}\n{}",
                resource["status"],
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a resource is ready in its present generation.
    pub(super) async fn until_ready(&self, kind: &str, name: &str) -> Value {
        self.until(kind, name, is_ready).await
    }

    /// Waits until a resource is not ready for this reason, and returns the message.
    pub(super) async fn until_refused(&self, kind: &str, name: &str, reason: &str) -> String {
        let refused = self.until(kind, name, |resource| condition(resource, reason).is_some()).await;
        condition(&refused, reason).unwrap()["message"].as_str().unwrap().to_owned()
    }

    pub(super) async fn until_gone(&self, kind: &str, name: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.get(kind, name).await.is_some() {
            assert!(Instant::now() < deadline, "{kind} {name} does not go");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The data that the stand-in keeps: a folder for each cluster.
    pub(super) fn kept(&self) -> Vec<String> {
        let folders = ["kafka", "connect"].map(|group| std::fs::read_dir(self.folder.path().join(group)));
        let entries = folders.into_iter().filter_map(Result::ok).flatten().filter_map(Result::ok);
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn logs(&self) -> String {
        let find = std::process::Command::new("sh")
            .args(["-c", "find . -name log | while read f; do echo \"$f:\"; tail -n 20 \"$f\"; done"])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        String::from_utf8_lossy(&find.stdout).into_owned()
    }

    /// A Kafka `ev` of one node, with topics.
    pub(super) async fn kafka(&self) {
        self.apply(kafka(json!({}))).await;
        self.apply(pool()).await;
    }

    /// A Connect `cdc` at this Kafka, that may read the Secret `pg`.
    pub(super) async fn connect(&self) {
        self.apply(connect(json!({}))).await;
        let rule = json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["pg"], "verbs": ["get"]});
        let (group, metadata) = ("rbac.authorization.k8s.io", json!({"name": "cdc-secrets"}));
        let version = format!("{group}/v1");
        self.apply(json!({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]})).await;
        self.apply(json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
            "subjects": [{"kind": "ServiceAccount", "name": "cdc-connect", "namespace": NAMESPACE}],
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "cdc-secrets"},
        }))
        .await;
    }

    /// A connector at this Connect, for the table `users`.
    pub(super) async fn connector(&self, name: &str, more: Value) {
        let addresses = self.stack.addresses();
        let mut config = json!({
            "database.hostname": addresses.bind.to_string(), "database.port": addresses.postgres,
            "database.user": format!("${{secrets:{NAMESPACE}/pg:user}}"),
            "database.password": format!("${{secrets:{NAMESPACE}/pg:password}}"),
            "database.dbname": "postgres", "topic.prefix": name, "plugin.name": "pgoutput",
            "slot.name": name, "publication.name": name, "publication.autocreate.mode": "filtered",
            "table.include.list": "public.users",
            "topic.creation.default.partitions": 1, "topic.creation.default.replication.factor": -1,
        });
        merge(&mut config, more);
        self.apply(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector",
            "metadata": {"name": name, "labels": {"strimzi.io/cluster": "cdc"}},
            "spec": {
                "class": "io.debezium.connector.postgresql.PostgresConnector", "tasksMax": 1, "config": config,
                "autoRestart": {"enabled": true},
            },
        }))
        .await;
    }
}

fn manager() -> PatchParams {
    PatchParams::apply("test").force()
}

pub(super) fn kafka(config: Value) -> Value {
    let mut all = json!({
        "default.replication.factor": 1, "min.insync.replicas": 1, "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
        "auto.create.topics.enable": false,
    });
    merge(&mut all, config);
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "ev"},
        "spec": {
            "kafka": {
                "version": "4.3.1", "metadataVersion": "4.3-IV0", "config": all,
                "listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}],
            },
            "entityOperator": {"topicOperator": {}, "userOperator": {}},
        },
    })
}

pub(super) fn pool() -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": "dual", "labels": {"strimzi.io/cluster": "ev"}},
        "spec": {"replicas": 1, "roles": ["controller", "broker"], "storage": {"type": "ephemeral"}},
    })
}

pub(super) fn topic(name: &str, topic: &str, partitions: u32) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "ev"}},
        "spec": {"topicName": topic, "partitions": partitions, "replicas": 1, "config": {"retention.ms": 604_800_000}},
    })
}

pub(super) fn connect(config: Value) -> Value {
    let mut all = json!({
        "config.providers": "secrets",
        "config.providers.secrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
        "config.storage.replication.factor": -1, "offset.storage.replication.factor": -1,
        "status.storage.replication.factor": -1, "offset.storage.partitions": 1, "status.storage.partitions": 1,
    });
    merge(&mut all, config);
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect",
        "metadata": {"name": "cdc", "annotations": {"strimzi.io/use-connector-resources": "true"}},
        "spec": {
            "version": "4.3.1", "replicas": 1, "bootstrapServers": format!("ev-kafka-bootstrap.{NAMESPACE}.svc:9092"),
            "groupId": "cdc", "configStorageTopic": "cdc-configs", "offsetStorageTopic": "cdc-offsets",
            "statusStorageTopic": "cdc-status", "config": all,
        },
    })
}

fn merge(into: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    into.as_object_mut().unwrap().extend(more);
}

pub(super) fn is_ready(resource: &Value) -> bool {
    let status = &resource["status"];
    let is_true = |it: &Value| it["type"] == "Ready" && it["status"] == "True";
    status["observedGeneration"] == resource["metadata"]["generation"]
        && status["conditions"].as_array().is_some_and(|all| all.iter().any(is_true))
}

/// The condition with this reason, if the resource has it in its present generation.
pub(super) fn condition<'a>(resource: &'a Value, reason: &str) -> Option<&'a Value> {
    let status = &resource["status"];
    let is_current = status["observedGeneration"] == resource["metadata"]["generation"];
    status["conditions"].as_array()?.iter().find(|condition| is_current && condition["reason"] == reason)
}
