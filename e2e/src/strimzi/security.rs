//! How a Connect reaches its Kafka: `spec.tls` and `spec.authentication`, with what the Secrets hold.

use std::collections::BTreeMap;
use std::path::Path;

use super::configuration::{CUSTOM_LOGIN as CUSTOM, Settings};
use super::context::Context;
use super::refusal::Refusal;
use super::resource::{Resource, View};
use super::worker::private;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecurityError {
    /// The resource names something that is not there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be found out now.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// The settings of a client of the Kafka that this resource names. Certificates and keys are written to the folder.
pub(super) async fn settings(context: &Context, connect: &Resource, folder: &Path) -> Result<Settings, SecurityError> {
    let secrets = Secrets { context, namespace: connect.key().0 };
    let tls = connect.at("/spec/tls");
    let authentication = connect.at("/spec/authentication");
    let mut settings = Settings::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    let has_login = match authentication["type"].as_str() {
        Some("scram-sha-512" | "scram-sha-256" | "plain") => {
            let (mechanism, module) = mechanism(authentication["type"].as_str());
            let at = &authentication["passwordSecret"];
            let password = secrets.value(at["secretName"].as_str(), at["password"].as_str()).await?;
            let user = authentication["username"].as_str().unwrap_or_default();
            set("sasl.mechanism", mechanism.to_owned());
            set("sasl.jaas.config", format!("{module} required username=\"{user}\" password=\"{password}\";"));
            true
        }
        Some("tls") => {
            let at = &authentication["certificateAndKey"];
            let certificate = secrets.value(at["secretName"].as_str(), at["certificate"].as_str()).await?;
            let key = secrets.value(at["secretName"].as_str(), at["key"].as_str()).await?;
            set("ssl.keystore.type", "PEM".to_owned());
            set("ssl.keystore.location", write(folder, "client.pem", &format!("{key}\n{certificate}"))?);
            false
        }
        // The user's own words; placeholders in them are the worker's to resolve.
        Some("custom") => {
            for (name, value) in CUSTOM.only(&authentication["config"])? {
                set(&name, value);
            }
            authentication["sasl"].as_bool().unwrap_or(false)
        }
        _ => false,
    };
    let mut trusted = String::new();
    for entry in tls["trustedCertificates"].as_array().into_iter().flatten() {
        let pattern = entry["certificate"].as_str().or(entry["pattern"].as_str());
        trusted += &secrets.matching(entry["secretName"].as_str(), pattern).await?;
    }
    if !trusted.is_empty() {
        set("ssl.truststore.type", "PEM".to_owned());
        set("ssl.truststore.location", write(folder, "trusted.pem", &trusted)?);
    }
    set("security.protocol", protocol(has_login, tls.is_object()).to_owned());
    // A changed Secret changes the settings, and with them the worker is started anew.
    if !trusted.is_empty() {
        let hash = xxhash_rust::xxh3::xxh3_64(trusted.as_bytes());
        set("tributary.trusted.hash", format!("{hash:016x}"));
    }
    Ok(settings)
}

fn mechanism(kind: Option<&str>) -> (&'static str, &'static str) {
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
    match kind {
        Some("scram-sha-512") => ("SCRAM-SHA-512", scram),
        Some("scram-sha-256") => ("SCRAM-SHA-256", scram),
        _ => ("PLAIN", "org.apache.kafka.common.security.plain.PlainLoginModule"),
    }
}

fn protocol(has_login: bool, has_tls: bool) -> &'static str {
    match (has_login, has_tls) {
        (true, true) => "SASL_SSL",
        (true, false) => "SASL_PLAINTEXT",
        (false, true) => "SSL",
        (false, false) => "PLAINTEXT",
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    private(&path, text)?;
    Ok(path.display().to_string())
}

struct Secrets<'a> {
    context: &'a Context,
    namespace: String,
}

impl Secrets<'_> {
    async fn data(&self, secret: Option<&str>) -> Result<BTreeMap<String, Vec<u8>>, SecurityError> {
        let name = secret.unwrap_or_default();
        let data = self.context.kubernetes.secret(&self.namespace, name).await?;
        let missing = || {
            let message = format!("Secret {name} not found in namespace {}", self.namespace);
            Refusal::new("InvalidConfigurationException", message)
        };
        Ok(data.ok_or_else(missing)?)
    }

    async fn value(&self, secret: Option<&str>, key: Option<&str>) -> Result<String, SecurityError> {
        let (mut data, key) = (self.data(secret).await?, key.unwrap_or_default());
        let value = data.remove(key).and_then(|bytes| String::from_utf8(bytes).ok());
        let missing = || {
            let message = format!(
                "Items with key(s) [{key}] are missing in Secret {} in namespace {}",
                secret.unwrap_or_default(),
                self.namespace
            );
            Refusal::new("InvalidConfigurationException", message)
        };
        Ok(value.ok_or_else(missing)?)
    }

    /// The certificates whose keys match a name, or a pattern such as `*.crt`.
    async fn matching(&self, secret: Option<&str>, pattern: Option<&str>) -> Result<String, SecurityError> {
        let pattern = pattern.unwrap_or("*.crt");
        if !pattern.contains('*') {
            return Ok(self.value(secret, Some(pattern)).await? + "\n");
        }
        let suffix = pattern.trim_start_matches('*');
        let found = self.data(secret).await?.into_iter().filter(|(key, _)| key.ends_with(suffix));
        let texts = found.filter_map(|(_, bytes)| String::from_utf8(bytes).ok());
        Ok(texts.map(|text| text + "\n").collect())
    }
}
