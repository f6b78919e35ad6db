//! The live objects of all resources, kept by watches: a pass that changes nothing asks the API server nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll, StreamExt};
use kube::api::{Api, DynamicObject};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Client, Resource, ResourceExt};
use tributary_crds::CdcReplication;

use crate::apply::{Live, resource};
use crate::build::{KINDS, Kind, MANAGER};

/// A resource, or what is known of one that cannot be read.
pub type Guarded = DeserializeGuard<CdcReplication>;

/// Pods are only looked at, to say why they do not start.
pub static POD: Kind = Kind { group: "", version: "v1", kind: "Pod", plural: "pods", optional: false, keep: true };

const INSTANCE: &str = "app.kubernetes.io/instance";
/// How often it is looked whether a kind that need not be there has come.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// All kinds that are watched.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain([&POD])
}

/// The kinds that the API server does not serve, as the names of their CRDs.
pub async fn missing<'a>(client: &Client, kinds: impl Iterator<Item = &'a Kind>) -> Result<Vec<String>, kube::Error> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Kind>> = BTreeMap::new();
    for kind in kinds.filter(|kind| !kind.group.is_empty()) {
        groups.entry((kind.group, kind.version)).or_default().push(kind);
    }
    let mut missing = Vec::new();
    for ((group, version), kinds) in groups {
        let served = served(client, group, version).await?;
        let absent = kinds.into_iter().filter(|kind| !served.contains(kind.plural));
        missing.extend(absent.map(|kind| format!("{}.{group} ({version})", kind.plural)));
    }
    Ok(missing)
}

/// The plurals of one version of a group; none when the group is not there.
async fn served(client: &Client, group: &str, version: &str) -> Result<BTreeSet<String>, kube::Error> {
    match client.list_api_group_resources(&format!("{group}/{version}")).await {
        Ok(list) => Ok(list.resources.into_iter().map(|resource| resource.name).collect()),
        // By its code: this 404 is plain text, without a reason.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// The live objects of one scope: one namespace, or all of them.
#[derive(Clone)]
pub struct Stores {
    stores: Vec<(&'static Kind, Store<DynamicObject>)>,
    served: Arc<RwLock<BTreeSet<&'static str>>>,
}

/// What of the children changed: the resource that they belong to.
pub type Triggers = SelectAll<BoxStream<'static, ObjectRef<Guarded>>>;

impl Stores {
    /// Starts to watch, once the returned stream is polled.
    pub fn watch(client: &Client, namespace: Option<&str>) -> (Self, Triggers) {
        let served = Arc::<RwLock<BTreeSet<&'static str>>>::default();
        let mut stores = Vec::new();
        let mut triggers = SelectAll::new();
        for kind in kinds() {
            let writer = Writer::<DynamicObject>::new(resource(kind));
            stores.push((kind, writer.as_reader()));
            triggers.push(changes(client.clone(), namespace.map(str::to_owned), kind, writer, served.clone()));
        }
        (Self { stores, served }, triggers)
    }

    /// Completes when all objects that were there at the beginning are known.
    pub async fn filled(&self) {
        for (kind, store) in &self.stores {
            if !kind.optional {
                // An error means that the watches ended, and with them the process.
                let _ = store.wait_until_ready().await;
            }
        }
    }

    /// Whether the API server has the kind.
    pub fn serves(&self, kind: &Kind) -> bool {
        !kind.optional || self.served.read().unwrap_or_else(PoisonError::into_inner).contains(kind.kind)
    }

    /// All live objects of a resource.
    pub fn of(&self, namespace: &str, instance: &str) -> Vec<Live> {
        let of_kind = |kind: &'static Kind, store: &Store<DynamicObject>| {
            let objects = store.state().into_iter().filter(|object| belongs(object, namespace, instance));
            objects.map(move |object| Live::new(kind, &object)).collect::<Vec<_>>()
        };
        self.stores.iter().flat_map(|(kind, store)| of_kind(kind, store)).collect()
    }

    /// Stores that hold these objects, for tests without watches.
    #[cfg(test)]
    pub(crate) fn holding(objects: &[DynamicObject]) -> Self {
        let stores = kinds().map(|kind| {
            let mut writer = Writer::<DynamicObject>::new(resource(kind));
            let of_kind = |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == kind.kind);
            writer.apply_watcher_event(&watcher::Event::Init);
            for object in objects.iter().filter(of_kind) {
                writer.apply_watcher_event(&watcher::Event::InitApply(object.clone()));
            }
            writer.apply_watcher_event(&watcher::Event::InitDone);
            (kind, writer.as_reader())
        });
        Self { stores: stores.collect(), served: Arc::default() }
    }
}

fn belongs(object: &DynamicObject, namespace: &str, instance: &str) -> bool {
    object.metadata.namespace.as_deref() == Some(namespace)
        && object.metadata.labels.as_ref().and_then(|labels| labels.get(INSTANCE)).is_some_and(|name| name == instance)
}

/// The resource that an object belongs to. Not by owner reference: what is kept has none.
fn parent(object: &DynamicObject) -> Option<ObjectRef<Guarded>> {
    let instance = object.labels().get(INSTANCE)?;
    Some(ObjectRef::new(instance).within(&object.namespace()?))
}

/// The changes of one kind. A kind that need not be there is waited for.
fn changes(
    client: Client,
    namespace: Option<String>,
    kind: &'static Kind,
    writer: Writer<DynamicObject>,
    served: Arc<RwLock<BTreeSet<&'static str>>>,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let start = async move {
        if kind.optional {
            wait_for(&client, kind).await;
            served.write().unwrap_or_else(PoisonError::into_inner).insert(kind.kind);
        }
        watched(&client, namespace.as_deref(), kind, writer)
    };
    futures::stream::once(start).flatten().boxed()
}

async fn wait_for(client: &Client, kind: &Kind) {
    loop {
        match missing(client, std::iter::once(kind)).await {
            Ok(missing) if missing.is_empty() => return,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %crate::log::described(&error), "cannot ask which kinds there are"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn watched(
    client: &Client,
    namespace: Option<&str>,
    kind: &'static Kind,
    writer: Writer<DynamicObject>,
) -> BoxStream<'static, ObjectRef<Guarded>> {
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource(kind)),
        None => Api::all_with(client.clone(), &resource(kind)),
    };
    let selector = format!("app.kubernetes.io/name=tributary,app.kubernetes.io/managed-by={MANAGER}");
    let events = watcher(api, watcher::Config::default().labels(&selector)).default_backoff();
    let slim = events.map(move |event| event.map(|event| event.modify(|object| slim(kind, object))));
    let changed = reflector(writer, slim).touched_objects();
    changed
        .filter_map(move |object| async move {
            match object {
                Ok(object) => parent(&object),
                Err(error) => {
                    tracing::warn!(kind = kind.kind, error = %crate::log::described(&error), "watch failed, trying again");
                    None
                }
            }
        })
        .boxed()
}

/// Drops what nobody reads, which is most of it.
fn slim(kind: &Kind, object: &mut DynamicObject) {
    object.metadata.managed_fields = None;
    if kind.kind == POD.kind {
        if let Some(fields) = object.data.as_object_mut() {
            fields.remove("spec");
        }
        object.metadata.annotations = None;
    }
}

/// The key of a resource in everything that is remembered.
pub fn key(meta: &impl Resource) -> String {
    format!(
        "{}/{}",
        meta.meta().namespace.as_deref().unwrap_or_default(),
        meta.meta().name.as_deref().unwrap_or_default()
    )
}
