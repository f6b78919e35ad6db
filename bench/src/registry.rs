//! Puts the recorded schemas into the stack's registry.

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use crate::events::AvroSchemas;

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

/// Registers the schemas of key and value for `topic`; their ids.
pub(crate) async fn register(registry_url: &str, topic: &str) -> anyhow::Result<(u32, u32)> {
    let AvroSchemas { key, value } = AvroSchemas::recorded()?;
    let key = register_one(registry_url, &format!("{topic}-key"), &key).await?;
    Ok((key, register_one(registry_url, &format!("{topic}-value"), &value).await?))
}

async fn register_one(registry_url: &str, subject: &str, schema: &str) -> anyhow::Result<u32> {
    let url = format!("{registry_url}/subjects/{subject}/versions");
    let request = reqwest::Client::new().post(url).json(&json!({ "schema": schema }));
    let answer = request.send().await?.error_for_status()?;
    let registered: Registered = answer.json().await.context("the registry gave no id")?;
    Ok(registered.id)
}
