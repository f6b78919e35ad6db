//! What a resource refers to: its Secrets, and its source database. Both are asked again only when it is due.

mod secrets;
mod source;

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tributary_crds::{ExternalKafka, Postgres, librdkafka};
use tributary_sources::postgres::Credentials;

pub use secrets::SecretsSeen;
pub use source::{SourceSeen, judged};

/// A Secret could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The API server refused, or could not be asked.
    #[error("cannot get the Secret {name}")]
    Api {
        /// Name of the Secret.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// It is not there.
    #[error("there is no Secret {name} in the namespace {namespace}: create it")]
    Missing {
        /// Name of the Secret.
        name: String,
        /// The resource's namespace.
        namespace: String,
    },
    /// It has no such key, or the key's value is no text.
    #[error("the Secret {name} has no text under the key {key}: add it")]
    Key {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
}

/// The values of a Secret, for a connection of our own; they are not kept.
pub struct SecretValues {
    name: String,
    secret: Secret,
}

impl SecretValues {
    /// Gets a Secret by its name.
    pub async fn get(client: &Client, namespace: &str, name: &str) -> Result<Self, SecretError> {
        let found = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await;
        let found = found.map_err(|source| SecretError::Api { name: name.to_owned(), source })?;
        let missing = || SecretError::Missing { name: name.to_owned(), namespace: namespace.to_owned() };
        Ok(Self { name: name.to_owned(), secret: found.ok_or_else(missing)? })
    }

    /// The value of a key, byte for byte as the connector will see it.
    pub fn text(&self, key: &str) -> Result<String, SecretError> {
        let value = self.secret.data.as_ref().and_then(|data| data.get(key));
        let text = value.and_then(|value| String::from_utf8(value.0.clone()).ok());
        text.ok_or_else(|| SecretError::Key { name: self.name.clone(), key: key.to_owned() })
    }
}

/// The login that the connector will have.
pub async fn credentials(client: &Client, namespace: &str, postgres: &Postgres) -> Result<Credentials, SecretError> {
    let values = SecretValues::get(client, namespace, &postgres.credentials.secret_name).await?;
    Ok(Credentials { username: values.text("username")?, password: values.text("password")? })
}

/// The options of a connection to a Kafka that is not ours, with the values of its Secrets.
pub async fn kafka_options(
    client: &Client,
    namespace: &str,
    kafka: &ExternalKafka,
) -> Result<Vec<(String, String)>, SecretError> {
    // First which values, then the values: the options are made without waiting.
    let mut names = BTreeSet::new();
    let listed = librdkafka::options(kafka, |value| {
        names.insert(value.secret.to_owned());
        Ok::<_, Infallible>(String::new())
    });
    if names.is_empty() {
        return Ok(listed.unwrap_or_default());
    }
    let mut secrets = HashMap::new();
    for name in names {
        let values = SecretValues::get(client, namespace, &name).await?;
        secrets.insert(name, values);
    }
    librdkafka::options(kafka, |value| match secrets.get(value.secret) {
        Some(values) => values.text(value.key),
        None => Err(SecretError::Missing { name: value.secret.to_owned(), namespace: namespace.to_owned() }),
    })
}
