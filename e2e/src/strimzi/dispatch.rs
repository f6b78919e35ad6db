//! Tells the players what has changed; a cluster that is heard of for the first time gets one.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::brokers::remove;
use super::connect_operator::ConnectOperator;
use super::connector_operator::refuse;
use super::context::{self, Context};
use super::kafka_operator::KafkaOperator;
use super::kind::Kind;
use super::player::{Player, Wake, play};
use super::refusal::Refusal;
use super::resource::{Key, Resource, View};
use super::status;
use super::watches::Change;

struct Dispatcher {
    context: Arc<Context>,
    kafkas: HashMap<Key, UnboundedSender<Wake>>,
    connects: HashMap<Key, UnboundedSender<Wake>>,
    tasks: JoinSet<()>,
}

/// Goes on until it is dropped, and all players with it.
pub(super) async fn run(context: Arc<Context>, mut changes: UnboundedReceiver<Change>) {
    forget(&context);
    let mut dispatcher =
        Dispatcher { context, kafkas: HashMap::new(), connects: HashMap::new(), tasks: JoinSet::new() };
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some((kind, Some(resource))) => dispatcher.tell(kind, &resource).await,
                Some((kind, None)) => dispatcher.tell_all(kind).await,
                None => return,
            },
            // A player never ends by itself: if one panics, so does the whole, and whoever runs it hears of it.
            Some(ended) = dispatcher.tasks.join_next() => if let Err(error) = ended && error.is_panic() {
                std::panic::resume_unwind(error.into_panic());
            },
        }
    }
}

/// Removes what an earlier stand-in left of Kafkas and Connects that are no more.
fn forget(context: &Context) {
    for (kind, group) in [(Kind::Kafka, context::KAFKA), (Kind::KafkaConnect, context::CONNECT)] {
        let living: BTreeSet<_> =
            context.resources.all(kind).iter().map(|it| context.folder(group, &it.key())).collect();
        for folder in folders(&context.options.directory.join(group)) {
            if !living.contains(&folder)
                && let Err(error) = remove(&folder)
            {
                tracing::warn!("what is left of an earlier run stays: {error:#}");
            }
        }
    }
}

fn folders(parent: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

impl Dispatcher {
    /// After a watch has begun, or begun anew: something may be gone without a word.
    async fn tell_all(&mut self, kind: Kind) {
        for resource in self.context.resources.all(kind) {
            self.tell(kind, &resource).await;
        }
        for player in self.kafkas.values().chain(self.connects.values()) {
            let _ = player.send(Wake::All);
        }
    }

    async fn tell(&mut self, kind: Kind, resource: &Resource) {
        let (namespace, name) = resource.key();
        let cluster = resource.cluster().map(|cluster| (namespace.clone(), cluster.to_owned()));
        match (kind, cluster) {
            (Kind::Kafka, _) => self.kafka((namespace, name), Wake::All),
            (Kind::KafkaConnect, _) => self.connect((namespace, name), Wake::All),
            (Kind::KafkaNodePool, Some(kafka)) => self.kafka(kafka, Wake::All),
            (Kind::KafkaTopic | Kind::KafkaUser, Some(kafka)) => self.kafka(kafka, Wake::One(kind, name)),
            (Kind::KafkaConnector, Some(connect)) => self.connect(connect, Wake::One(kind, name)),
            (Kind::KafkaConnector, None) => self.refuse_homeless(resource).await,
            // Nobody's, and so nobody says a word about it.
            (Kind::KafkaNodePool | Kind::KafkaTopic | Kind::KafkaUser, None) => {}
        }
    }

    async fn refuse_homeless(&self, connector: &Resource) {
        let current = self.context.resources.get(Kind::KafkaConnector, &connector.key());
        let Some(connector) = current else { return };
        let message =
            "Resource lacks label 'strimzi.io/cluster': No connect cluster in which to create this connector.";
        let refusal = Refusal::new("InvalidResourceException", message);
        let written = if connector.is_paused() {
            let status = status::connector_paused(&connector);
            self.context.kubernetes.write_status(Kind::KafkaConnector, &connector, status).await
        } else {
            refuse(&self.context, &connector, &refusal).await
        };
        if let Err(error) = written {
            tracing::warn!("{error:#}");
        }
    }

    fn kafka(&mut self, key: Key, wake: Wake) {
        let context = &self.context;
        let tasks = &mut self.tasks;
        let player = self
            .kafkas
            .entry(key.clone())
            .or_insert_with(|| start(context, tasks, KafkaOperator::new(Arc::clone(context), key)));
        let _ = player.send(wake);
    }

    fn connect(&mut self, key: Key, wake: Wake) {
        let context = &self.context;
        let tasks = &mut self.tasks;
        let player = self
            .connects
            .entry(key.clone())
            .or_insert_with(|| start(context, tasks, ConnectOperator::new(Arc::clone(context), key)));
        let _ = player.send(wake);
    }
}

fn start(context: &Context, tasks: &mut JoinSet<()>, player: impl Player + 'static) -> UnboundedSender<Wake> {
    let (wakes, inbox) = unbounded_channel();
    tasks.spawn(play(player, inbox, context.options.refresh));
    wakes
}
