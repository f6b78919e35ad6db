//! Waiting for objects to be as they should, by watching them.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::Context;
use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long a wait may take. Generous: Kafka and Connect start on a machine that may be slow and busy.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Waits until the object exists and `is` says that it is as it should be; `what` names that in the error.
pub async fn until<K>(api: &Api<K>, name: &str, what: &str, is: impl Fn(&K) -> bool) -> anyhow::Result<K>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let condition = |object: Option<&K>| object.is_some_and(&is);
    let waited = timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
    let found =
        waited.with_context(|| format!("{name}: \"{what}\" did not come true within {} s", PATIENCE.as_secs()))?;
    found?.with_context(|| format!("{name} is gone: \"{what}\""))
}

/// Waits until there is no such object.
pub async fn until_gone<K>(api: &Api<K>, name: &str) -> anyhow::Result<()>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let gone = |object: Option<&K>| object.is_none();
    timeout(PATIENCE, await_condition(api.clone(), name, gone))
        .await
        .with_context(|| format!("{name} is still there after {} s", PATIENCE.as_secs()))??;
    Ok(())
}
