//! The worker of one `KafkaConnect`: its settings, and its process.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use super::configuration::{CONNECT, Settings, properties};
use super::context::Context;
use super::kafka;
use super::names::replace;
use super::ports::Ports;
use super::refusal::Refusal;
use super::resource::{Resource, View};
use super::rest::Rest;
use super::server::{Call, Server};

/// A worker that runs, or comes up.
pub(super) struct Worker {
    properties: String,
    server: Server,
    pub(super) rest: Rest,
    is_ready: bool,
}

const PROPERTIES: &str = "worker.properties";
const KUBECONFIG: &str = "kubeconfig";
const HEAP: &str = "768m";

/// What a `KafkaConnect` asks for, as a worker's settings, apart from where it listens. `security` is how it reaches Kafka.
pub(super) fn settings(connect: &Resource, security: Settings) -> Result<Settings, Refusal> {
    kafka::check_connect_version(connect.text("/spec/version"))?;
    let mut settings: Settings = DEFAULTS.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    settings.extend(CONNECT.settings(connect.at("/spec/config"))?);
    for (name, pointer) in OWN {
        let value = connect.text(pointer).unwrap_or_default();
        settings.insert(name.to_owned(), value.to_owned());
    }
    // Strimzi's own providers stand after the user's.
    let users = settings.get("config.providers").filter(|aliases| !aliases.is_empty()).cloned();
    let aliases: Vec<String> = users.into_iter().chain(PROVIDERS.map(|(alias, _)| alias.to_owned())).collect();
    settings.insert("config.providers".to_owned(), aliases.join(","));
    for (alias, class) in PROVIDERS {
        settings.insert(format!("config.providers.{alias}.class"), class.to_owned());
    }
    // Strimzi starts pods anew whose template has changed.
    let template = xxhash_rust::xxh3::xxh3_64(connect.at("/spec/template").to_string().as_bytes());
    settings.insert("tributary.template.hash".to_owned(), format!("{template:016x}"));
    for (name, value) in security {
        // Connect's own clients, and those of its connectors.
        for prefix in ["", "producer.", "consumer.", "admin."] {
            settings.insert(format!("{prefix}{name}"), value.clone());
        }
    }
    Ok(settings)
}

/// The converter is Strimzi's default. Every plugin here announces itself, so the slow search is not needed.
const DEFAULTS: [(&str, &str); 3] = [
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("plugin.discovery", "service_load"),
];

const OWN: [(&str, &str); 5] = [
    ("bootstrap.servers", "/spec/bootstrapServers"),
    ("group.id", "/spec/groupId"),
    ("config.storage.topic", "/spec/configStorageTopic"),
    ("offset.storage.topic", "/spec/offsetStorageTopic"),
    ("status.storage.topic", "/spec/statusStorageTopic"),
];

/// Strimzi's `strimzidir` is left out: it is for a folder of Strimzi's image.
const PROVIDERS: [(&str, &str); 3] = [
    ("strimzienv", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"),
    ("strimzifile", "org.apache.kafka.common.config.provider.FileConfigProvider"),
    ("strimzisecrets", "io.strimzi.kafka.KubernetesSecretConfigProvider"),
];

/// The number of workers that the resource asks for. More than one is played by one.
pub(super) fn replicas(connect: &Resource) -> i64 {
    connect.at("/spec/replicas").as_i64().unwrap_or(3)
}

/// Whether a worker would find the name of its Kafka: it ends at once if it does not. `hosts` are the names that there are.
pub(super) fn finds_kafka(settings: &Settings, hosts: &str) -> bool {
    let servers = settings.get("bootstrap.servers").map_or("", String::as_str);
    let mut names = servers.split(',').filter_map(|server| Some(server.trim().rsplit_once(':')?.0));
    let is_service = |name: &str| [".svc", ".svc.cluster.local"].into_iter().any(|domain| name.ends_with(domain));
    let is_known = |name: &str| hosts.split_ascii_whitespace().any(|known| known == name);
    names.any(|name| !is_service(name) || is_known(name))
}

impl Worker {
    /// Starts a worker in this folder. The service account must be there.
    pub(super) async fn start(
        context: &Context,
        connect: &Resource,
        folder: &Path,
        ports: &mut Ports,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let (namespace, name) = connect.key();
        let kubeconfig = context.kubernetes.kubeconfig_of(&namespace, &format!("{name}-connect")).await?;
        let address = ports.address("rest")?;
        let mut all = settings.clone();
        all.insert("listeners".into(), format!("http://{address}"));
        all.insert("rest.advertised.host.name".into(), address.ip().to_string());
        all.insert("rest.advertised.port".into(), address.port().to_string());
        all.insert("plugin.path".into(), plugin_path(context));
        let kubeconfig_path = folder.join(KUBECONFIG);
        for (path, text) in [(&kubeconfig_path, &kubeconfig), (&folder.join(PROPERTIES), &properties(&all))] {
            private(path, text)?;
        }
        let mut hosts = std::ffi::OsString::from("-Djdk.net.hosts.file=");
        hosts.push(&context.hosts);
        let call = Call {
            heap: HEAP,
            // A Service that is made anew gets another address.
            java: vec![hosts, "-Dsun.net.inetaddr.ttl=1".into(), "-Dsun.net.inetaddr.negative.ttl=0".into()],
            main: vec!["org.apache.kafka.connect.cli.ConnectDistributed".into(), PROPERTIES.into()],
            environment: vec![("KUBECONFIG", kubeconfig_path.into())],
        };
        let server = Server::start(&context.software, folder, call)?;
        Ok(Self { properties: properties(settings), server, rest: Rest::at(address), is_ready: false })
    }

    /// Whether it runs with these settings.
    pub(super) fn has(&self, settings: &Settings) -> bool {
        self.properties == properties(settings)
    }

    pub(super) fn wants(&mut self) -> bool {
        !self.is_ready || self.server.ended().is_some()
    }

    /// Whether it has never answered for so long.
    pub(super) fn is_late(&self, patience: std::time::Duration) -> bool {
        !self.is_ready && self.server.age() > patience
    }

    pub(super) fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The plugins, once it answers.
    pub(super) async fn plugins(&mut self) -> Option<Value> {
        let plugins = self.rest.plugins().await?;
        self.is_ready = true;
        Some(plugins)
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }
}

fn plugin_path(context: &Context) -> String {
    let folders: [PathBuf; 3] = [
        context.software.kafka.join("plugins"),
        context.software.registry.join("plugins"),
        context.secrets_plugin.clone(),
    ];
    folders.map(|folder| folder.display().to_string()).join(",")
}

/// A file that other users cannot read: it may have passwords.
pub(super) fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    replace(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_waits_for_the_service_of_its_kafka_and_for_nothing_else() {
        let at = |servers: &str| Settings::from([("bootstrap.servers".to_owned(), servers.to_owned())]);
        let hosts = "127.0.0.1 localhost\n10.180.2.7 ev-kafka-bootstrap.lake.svc ev-kafka-bootstrap.lake\n";
        assert!(finds_kafka(&at("ev-kafka-bootstrap.lake.svc:9092"), hosts));
        assert!(!finds_kafka(&at("other-kafka-bootstrap.lake.svc:9092"), hosts));
        assert!(finds_kafka(&at("10.180.0.1:1, b.example:2"), hosts));
    }
}
