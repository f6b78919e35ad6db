//! Plays Strimzi's topic operator for one Kafka.

use std::sync::Arc;

use serde_json::json;

use super::admin::{Admin, AdminError};
use super::context::Context;
use super::kind::Kind;
use super::player::Dirty;
use super::resource::{Key, Resource, View};
use super::{status, topics};

const KIND: Kind = Kind::KafkaTopic;

/// Makes the topics in Kafka as their resources say, and the other way round says in the resources how that went.
pub(super) async fn reconcile(context: &Context, kafka: &Key, admin: &Admin, dirty: &Dirty) -> anyhow::Result<()> {
    let all = context.resources.of(KIND, kafka);
    for topic in all.iter().filter(|topic| dirty.has(KIND, &topic.key().1)) {
        let others: Vec<&Resource> = all.iter().map(Arc::as_ref).filter(|other| other.key() != topic.key()).collect();
        one(context, admin, topic, &others).await?;
    }
    Ok(())
}

async fn one(context: &Context, admin: &Admin, topic: &Resource, others: &[&Resource]) -> anyhow::Result<()> {
    let kubernetes = &context.kubernetes;
    let name = topics::name(topic);
    if !topics::is_managed(topic) || topic.is_paused() {
        if topics::is_deleted(topic) {
            return release(context, topic).await;
        }
        let status =
            if topic.is_paused() { status::topic_paused(topic, &name) } else { status::topic_unmanaged(topic) };
        return kubernetes.write_status(KIND, topic, status).await;
    }
    let result = match topics::check(topic, others.iter().copied()) {
        Err(refusal) => Err(refusal.into()),
        Ok(()) if topics::is_deleted(topic) => {
            admin.delete(&name).await?;
            return release(context, topic).await;
        }
        Ok(()) => {
            claim(context, topic).await?;
            make(admin, topic, &name).await
        }
    };
    let status = match result {
        Ok(id) => status::topic_ready(topic, &name, &id),
        Err(AdminError::Refused(refusal)) => status::topic_failed(topic, &name, &refusal),
        Err(AdminError::Failed(error)) => return Err(error),
    };
    kubernetes.write_status(KIND, topic, status).await
}

async fn make(admin: &Admin, topic: &Resource, name: &str) -> Result<String, AdminError> {
    let observed = admin.observe(name).await?;
    let changes = topics::changes(topic, observed.as_ref())?;
    if let Some(size) = changes.create {
        admin.create(name, size, changes.settings.as_ref().unwrap_or(&topics::NO_SETTINGS)).await?;
    } else {
        if let Some(partitions) = changes.partitions {
            admin.grow(name, partitions).await?;
        }
        if let Some(settings) = &changes.settings {
            admin.configure(name, settings).await?;
        }
    }
    id(admin, topic, name).await
}

/// The broker writes its data a moment after it has answered.
async fn id(admin: &Admin, topic: &Resource, name: &str) -> Result<String, AdminError> {
    for _ in 0..100 {
        if let Some(id) = admin.topic_id(name) {
            return Ok(id);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let known = topic.text("/status/topicId").map(str::to_owned);
    known.ok_or_else(|| anyhow::anyhow!("the broker has no data of the topic {name} that it has created").into())
}

/// Keeps the resource until the topic is gone.
async fn claim(context: &Context, topic: &Resource) -> anyhow::Result<()> {
    if topics::has_finalizer(topic) {
        return Ok(());
    }
    let mut finalizers = topics::other_finalizers(topic);
    finalizers.push(topics::FINALIZER.into());
    set_finalizers(context, topic, finalizers).await
}

async fn release(context: &Context, topic: &Resource) -> anyhow::Result<()> {
    if !topics::has_finalizer(topic) {
        return Ok(());
    }
    set_finalizers(context, topic, topics::other_finalizers(topic)).await
}

async fn set_finalizers(context: &Context, topic: &Resource, finalizers: Vec<serde_json::Value>) -> anyhow::Result<()> {
    context.kubernetes.patch_metadata(KIND, topic, json!({"finalizers": finalizers})).await
}

/// Topics outlive their Kafka with Strimzi too, and then nobody can delete them. Only when the whole namespace goes are
/// they let go here: a test's namespace would stay for ever.
pub(super) async fn abandon(context: &Context, kafka: &Key) -> anyhow::Result<()> {
    let left: Vec<Arc<Resource>> = context.resources.of(KIND, kafka);
    let stuck: Vec<&Arc<Resource>> =
        left.iter().filter(|topic| topics::is_deleted(topic) && topics::has_finalizer(topic)).collect();
    if stuck.is_empty() || !context.kubernetes.is_ending(&kafka.0).await? {
        return Ok(());
    }
    for topic in stuck {
        release(context, topic).await?;
    }
    Ok(())
}
