//! Statuses of `KafkaUser`.

use serde_json::{Value, json};

use super::{condition, not_ready};
use crate::strimzi::refusal::Refusal;
use crate::strimzi::resource::{Resource, View};

/// `username` is what access rules name; `secret` has the credentials.
pub(in crate::strimzi) fn user_ready(user: &Resource, username: &str, secret: Option<&str>) -> Value {
    let mut status = json!({
        "conditions": [condition("Ready", true)],
        "observedGeneration": user.generation(),
        "username": username,
    });
    if let Some(secret) = secret {
        status["secret"] = secret.into();
    }
    status
}

pub(in crate::strimzi) fn user_failed(user: &Resource, refusal: &Refusal) -> Value {
    json!({"conditions": [not_ready(refusal)], "observedGeneration": user.generation()})
}
