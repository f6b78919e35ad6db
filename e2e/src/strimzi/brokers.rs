//! The nodes of one Kafka: a process for each, started, watched, and started anew when its settings change.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::admin::Admin;
use super::authority::Authority;
use super::configuration::{Settings, properties};
use super::context::Context;
use super::kafka::Layout;
use super::listeners::{self, Addresses, TlsPaths};
use super::ports::Ports;
use super::server::{Call, Server};
use super::services::Port;
use crate::stack::{Software, kafka_arguments, run};

/// A Kafka's processes and what they need to be started again.
pub(super) struct Brokers {
    folder: PathBuf,
    /// Of the resource: another resource of the same name is another Kafka.
    pub(super) uid: String,
    pub(super) cluster_id: String,
    ports: Ports,
    nodes: Vec<Node>,
    admin: Option<Admin>,
    is_ready: bool,
    /// Nodes that ended before the cluster was ready, one after the other.
    failures: u32,
}

struct Node {
    id: usize,
    addresses: Addresses,
    properties: String,
    server: Server,
}

/// The file that the settings of a node are in.
const PROPERTIES: &str = "node.properties";
const HEAP: &str = "384m";
/// A node that ends at once is not started again at once.
const BREATH: Duration = Duration::from_secs(2);

impl Brokers {
    /// Those of this resource, with the data that an earlier stand-in left.
    pub(super) fn of(folder: PathBuf, uid: &str, bind: std::net::IpAddr) -> anyhow::Result<Self> {
        let uid_file = folder.join("uid");
        if std::fs::read_to_string(&uid_file).ok().as_deref() != Some(uid) {
            remove(&folder)?;
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            std::fs::write(folder.join("cluster-id"), new_cluster_id())?;
            std::fs::write(&uid_file, uid)?;
        }
        Ok(Self {
            cluster_id: std::fs::read_to_string(folder.join("cluster-id"))?,
            ports: Ports::of(&folder, bind),
            uid: uid.to_owned(),
            nodes: Vec::new(),
            admin: None,
            is_ready: false,
            failures: 0,
            folder,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a process has ended, or the cluster is not ready yet.
    pub(super) fn wants(&mut self) -> bool {
        !self.is_ready || self.nodes.iter_mut().any(|node| node.server.ended().is_some())
    }

    /// Starts what does not run, and starts anew what runs with other settings. An error has the end of the log of a node
    /// that does not stay up.
    pub(super) async fn ensure(
        &mut self,
        context: &Context,
        layout: &Layout,
        authority: Option<&Authority>,
    ) -> anyhow::Result<()> {
        let planned = self.plan(layout, authority)?;
        for stopped in
            self.take_unless(|node| planned.iter().any(|(id, _, text)| (*id, text) == (node.id, &node.properties)))
        {
            stopped.server.stop().await?;
        }
        self.bury()?;
        for (id, addresses, properties) in planned {
            if self.nodes.iter().all(|node| node.id != id) {
                self.admin = None;
                self.is_ready = false;
                self.start(context, layout, id, addresses, properties).await?;
            }
        }
        self.nodes.sort_by_key(|node| node.id);
        Ok(())
    }

    fn take_unless(&mut self, stays: impl Fn(&Node) -> bool) -> Vec<Node> {
        let (stay, go) = std::mem::take(&mut self.nodes).into_iter().partition(|node| stays(node));
        self.nodes = stay;
        go
    }

    /// Lets go of the nodes that have ended, to be started again.
    fn bury(&mut self) -> anyhow::Result<()> {
        let mut reason = None;
        let is_ready = self.is_ready;
        self.nodes.retain_mut(|node| match node.server.ended() {
            // It may be started again now.
            Some(_) if is_ready || node.server.age() > BREATH => false,
            Some(why) => {
                reason = Some(format!("node {}: {why}", node.id));
                true
            }
            None => true,
        });
        let Some(reason) = reason else { return Ok(()) };
        self.failures += 1;
        anyhow::bail!("{reason}")
    }

    /// Whether the cluster failed to come up several times in a row.
    pub(super) fn is_hopeless(&self) -> bool {
        self.failures >= 3
    }

    fn plan(
        &mut self,
        layout: &Layout,
        authority: Option<&Authority>,
    ) -> anyhow::Result<Vec<(usize, Addresses, String)>> {
        let mut planned = Vec::new();
        for pool in &layout.pools {
            for &id in &pool.node_ids {
                planned.push((id, pool.roles.join(","), self.addresses(layout, id, pool.controller, pool.broker)?));
            }
        }
        let voters = planned
            .iter()
            .filter_map(|(id, _, at)| Some(format!("{id}@{}", at.control_plane?)))
            .collect::<Vec<_>>()
            .join(",");
        let files = authority.map(Authority::paths).unwrap_or_default();
        let text = |(id, roles, addresses): (usize, String, Addresses)| {
            let settings = self.settings(layout, id, &roles, &voters, &addresses, &files);
            (id, addresses, properties(&settings))
        };
        Ok(planned.into_iter().map(text).collect())
    }

    fn addresses(&mut self, layout: &Layout, id: usize, controller: bool, broker: bool) -> anyhow::Result<Addresses> {
        let mut port = |purpose: &str| self.ports.address(&format!("{id}/{purpose}"));
        let control_plane = controller.then(|| port(listeners::CONTROL_PLANE)).transpose()?;
        let broker = broker
            .then(|| {
                let replication = port(listeners::REPLICATION)?;
                let clients = layout.listeners.iter().map(|listener| port(&listener.broker_name()));
                anyhow::Ok((replication, clients.collect::<anyhow::Result<_>>()?))
            })
            .transpose()?;
        Ok(Addresses { control_plane, broker })
    }

    fn settings(
        &self,
        layout: &Layout,
        id: usize,
        roles: &str,
        voters: &str,
        addresses: &Addresses,
        files: &TlsPaths,
    ) -> Settings {
        let mut settings: Settings = SMALL.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        settings.extend(layout.settings.clone());
        settings.extend(listeners::settings(&layout.listeners, addresses, files));
        let mut set = |name: &str, value: &str| settings.insert(name.to_owned(), value.to_owned());
        set("node.id", &id.to_string());
        set("process.roles", roles);
        set("controller.quorum.voters", voters);
        set("log.dirs", &self.node(id).join("data").display().to_string());
        if layout.is_authorized {
            set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
            // Brokers, controllers and the stand-in itself, whose listener has no authentication.
            set("super.users", "User:ANONYMOUS");
        }
        settings
    }

    fn node(&self, id: usize) -> PathBuf {
        node_folder(&self.folder, id)
    }

    async fn start(
        &mut self,
        context: &Context,
        layout: &Layout,
        id: usize,
        addresses: Addresses,
        properties: String,
    ) -> anyhow::Result<()> {
        let folder = self.node(id);
        std::fs::create_dir_all(folder.join("tmp")).with_context(|| format!("cannot create {}", folder.display()))?;
        std::fs::write(folder.join(PROPERTIES), &properties)?;
        if !folder.join("data").join("meta.properties").exists() {
            let mut format = format_command(&context.software, &folder, &self.cluster_id, &layout.metadata_version)?;
            let hint = "it formats the folder of a Kafka node";
            tokio::task::spawn_blocking(move || run(&mut format, hint)).await??;
        }
        let call =
            Call { heap: HEAP, java: vec![], main: vec!["kafka.Kafka".into(), PROPERTIES.into()], environment: vec![] };
        let server = Server::start(&context.software, &folder, call)?;
        self.nodes.push(Node { id, addresses, properties, server });
        Ok(())
    }

    /// Whether every broker is there. Once they are, a broker that is away for a while does not change it.
    pub(super) async fn is_ready(&mut self, layout: &Layout) -> anyhow::Result<bool> {
        if self.is_ready {
            return Ok(true);
        }
        let admin = self.admin()?;
        for node in &self.nodes {
            if let Some((replication, _)) = node.addresses.broker
                && tokio::net::TcpStream::connect(replication).await.is_err()
            {
                return Ok(false);
            }
        }
        self.is_ready = admin.brokers().await.is_ok_and(|brokers| brokers >= layout.brokers());
        if self.is_ready {
            self.failures = 0;
        }
        Ok(self.is_ready)
    }

    /// A client of this Kafka.
    pub(super) fn admin(&mut self) -> anyhow::Result<Admin> {
        if self.admin.is_none() {
            let data = self.nodes.iter().map(|node| self.node(node.id).join("data")).collect();
            self.admin = Some(Admin::at(&self.servers(), data)?);
        }
        self.admin.clone().context("there is no client")
    }

    /// The brokers' own listeners.
    pub(super) fn servers(&self) -> String {
        let brokers = self.nodes.iter().filter_map(|node| node.addresses.broker.as_ref());
        brokers.map(|(replication, _)| replication.to_string()).collect::<Vec<_>>().join(",")
    }

    /// The bootstrap Service's ports, for each broker where they lead.
    pub(super) fn bootstrap(&self, layout: &Layout) -> Vec<Vec<Port>> {
        let broker = |node: &Node| {
            let (replication, clients) = node.addresses.broker.as_ref()?;
            let mut ports = vec![Port { name: "tcp-replication".into(), number: 9091, target: *replication }];
            let pairs = layout.listeners.iter().zip(clients);
            ports.extend(pairs.map(|(it, at)| Port { name: it.port_name(), number: it.port, target: *at }));
            Some(ports)
        };
        self.nodes.iter().filter_map(broker).collect()
    }

    /// Ends every node in good order, to be started again: what a rolling update does.
    pub(super) async fn roll(&mut self) -> anyhow::Result<()> {
        self.is_ready = false;
        for node in std::mem::take(&mut self.nodes) {
            node.server.stop().await?;
        }
        Ok(())
    }

    /// Ends every node at once and removes the data.
    pub(super) fn destroy(self) -> anyhow::Result<()> {
        let Self { folder, nodes, .. } = self;
        drop(nodes);
        remove(&folder)
    }
}

/// The folder of one node.
pub(super) fn node_folder(folder: &Path, id: usize) -> PathBuf {
    folder.join(format!("node-{id}"))
}

pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Kafka's own form of a random UUID; it may not begin like an option.
fn new_cluster_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

fn format_command(
    software: &Software,
    folder: &Path,
    cluster_id: &str,
    metadata_version: &str,
) -> anyhow::Result<Command> {
    let mut format = Command::new(&software.java);
    format.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]).current_dir(folder);
    let arguments: Vec<OsString> = kafka_arguments(software, &folder.join("tmp"))?;
    format.args(arguments).args(["kafka.tools.StorageTool", "format", "-c", PROPERTIES]);
    format.args(["-t", cluster_id, "-r", metadata_version]);
    Ok(format)
}

/// What a machine that runs many Kafkas needs, unless the resource says otherwise. Strimzi itself sets
/// `min.insync.replicas`.
const SMALL: [(&str, &str); 6] = [
    ("min.insync.replicas", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("num.network.threads", "2"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
];
