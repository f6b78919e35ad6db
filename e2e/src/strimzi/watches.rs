//! The watches: what the API server has of each kind, and word of every change.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use futures::StreamExt;
use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::DynamicObject;
use kube::runtime::reflector::store::{Store, Writer};
use kube::runtime::reflector::{ObjectRef, reflector};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::kind::Kind;
use super::resource::{Key, Resource, View};

/// All resources of Strimzi's kinds, as of now.
#[derive(Clone)]
pub(super) struct Resources {
    stores: BTreeMap<Kind, Store<DynamicObject>>,
}

/// Word that something of a kind has changed; `None` when all of it is to be looked at.
pub(super) type Change = (Kind, Option<Resource>);

impl Resources {
    /// Starts to watch, and returns when everything is known. Waits for the definitions of the kinds.
    pub(super) async fn watch(
        client: &Client,
        changes: &UnboundedSender<Change>,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Self> {
        let mut stores = BTreeMap::new();
        for kind in Kind::ALL {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.api_resource());
            until_defined(kind, &api).await?;
            let writer = Writer::new(kind.api_resource());
            stores.insert(kind, writer.as_reader());
            tasks.spawn(follow(kind, api, writer, changes.clone()));
        }
        for store in stores.values() {
            store.wait_until_ready().await.context("a watch ended as it began")?;
        }
        Ok(Self { stores })
    }

    pub(super) fn get(&self, kind: Kind, key: &Key) -> Option<Arc<Resource>> {
        let reference = ObjectRef::new_with(&key.1, kind.api_resource()).within(&key.0);
        self.stores.get(&kind)?.get(&reference)
    }

    pub(super) fn all(&self, kind: Kind) -> Vec<Arc<Resource>> {
        self.stores.get(&kind).map(Store::state).unwrap_or_default()
    }

    /// Those that the label gives to a Kafka or `KafkaConnect`, by name.
    pub(super) fn of(&self, kind: Kind, cluster: &Key) -> Vec<Arc<Resource>> {
        let mut members = self.all(kind);
        members.retain(|it| it.key().0 == cluster.0 && it.cluster() == Some(&cluster.1));
        members.sort_by_key(|it| it.key());
        members
    }
}

/// A cluster that is just being set up gets Strimzi's definitions after its stand-in.
async fn until_defined(kind: Kind, api: &Api<DynamicObject>) -> anyhow::Result<()> {
    let mut has_waited = false;
    loop {
        match api.list(&ListParams::default().limit(1)).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                if !has_waited {
                    tracing::info!("waiting for the custom resource definition of {}…", kind.name());
                }
                has_waited = true;
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot list {}", kind.name())),
        }
    }
}

async fn follow(kind: Kind, api: Api<DynamicObject>, writer: Writer<DynamicObject>, changes: UnboundedSender<Change>) {
    let events = reflector(writer, watch(api, watcher::Config::default()).default_backoff());
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        let change = match event {
            Ok(Event::Apply(resource) | Event::Delete(resource)) => Some(resource),
            Ok(Event::InitDone) => None,
            Ok(Event::Init | Event::InitApply(_)) => continue,
            Err(error) => {
                tracing::warn!("the watch of {} broke off, and is taken up again: {error}", kind.name());
                continue;
            }
        };
        if changes.send((kind, change)).is_err() {
            return;
        }
    }
}
