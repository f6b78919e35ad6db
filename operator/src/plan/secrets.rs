//! Which Secrets a resource refers to, who reads them, and whether they hold what they must. Never their values.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use tributary_crds::{CdcReplication, ExternalKafka, SecretRef, StrimziAuthentication};

use super::{Rejection, digest, kafka};

/// What is known of the Secrets that a resource refers to, by name. One that does not exist is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretVersions(pub BTreeMap<String, SecretVersion>);

/// What is known of one Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretVersion {
    /// Its resource version: a rotated Secret has another one.
    pub version: String,
    /// What is known of its values, by key.
    pub keys: BTreeMap<String, SecretValue>,
}

/// What is known of one value, without the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecretValue {
    /// There is nothing in it, or only white space.
    pub is_empty: bool,
    /// It ends with a line break.
    pub ends_with_line_break: bool,
    /// It has a character that ends or bends a quoted text: `"` or `\`.
    pub needs_escapes: bool,
}

impl SecretValue {
    /// Looks at a value.
    pub fn of(value: &[u8]) -> Self {
        Self {
            is_empty: value.trim_ascii().is_empty(),
            ends_with_line_break: value.ends_with(b"\n") || value.ends_with(b"\r"),
            needs_escapes: value.iter().any(|byte| matches!(byte, b'"' | b'\\')),
        }
    }
}

impl SecretVersion {
    /// Looks at a Secret.
    pub fn of(secret: &Secret) -> Self {
        let data = secret.data.iter().flatten();
        let keys = data.map(|(key, value)| (key.clone(), SecretValue::of(&value.0))).collect();
        Self { version: secret.resource_version().unwrap_or_default(), keys }
    }
}

/// A place of the resource that names a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a Secret may have any of the readers")]
pub(super) struct Reference {
    field: &'static str,
    /// Name of the Secret.
    pub(super) secret: String,
    keys: Vec<String>,
    text: Text,
    /// Strimzi makes it, when it has made the cluster.
    comes_later: bool,
    /// The connector's configuration has a placeholder for it.
    pub(super) in_connector: bool,
    /// The replicator's pods mount it.
    pub(super) in_replicator: bool,
    /// The replicator reads it again and again: its pods go on when it is rotated.
    pub(super) is_read_again: bool,
    /// Kafka Connect's own connection to the brokers needs it.
    pub(super) in_worker: bool,
    /// The settings of that connection have a placeholder for it, because Strimzi has no words of its own for them.
    pub(super) in_worker_settings: bool,
}

/// What a value may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// Anything, such as a certificate of many lines.
    Any,
    /// A login that Connect uses as it stands, line break and all.
    Line,
    /// The same, and it becomes part of a quoted text.
    Quoted,
}

/// The Secrets that have to be looked at for a resource: those that it names, and those that Strimzi will make for it.
pub fn secret_names(resource: &CdcReplication) -> BTreeSet<String> {
    let resolved = super::resolved(resource, kafka::OwnKafka::of(resource, "").as_ref());
    references(&resolved).into_iter().map(|reference| reference.secret).collect()
}

/// All references of a resolved resource.
pub(super) fn references(resource: &CdcReplication) -> Vec<Reference> {
    let spec = &resource.spec;
    let mut found = Vec::new();
    if let Some(postgres) = &spec.source.postgres {
        found.push(login("spec.source.postgres.credentials", &postgres.credentials).connector().replicator());
    }
    if let Some(external) = &spec.kafka.external {
        found.extend(kafka_references(external, &resource.name_any()));
    }
    if let Some(avro) = &spec.format.avro {
        let credentials = avro.credentials.as_ref();
        found.extend(credentials.map(|it| login("spec.format.avro.credentials", it).connector().replicator()));
        let tls = avro.tls.as_ref().map(|tls| &tls.ca_secret);
        let authority = |it: &tributary_crds::CaSecret| {
            Reference::new("spec.format.avro.tls.caSecret", &it.secret_name, &[&it.key]).replicator()
        };
        found.extend(tls.map(authority));
    }
    if let Some(credentials) = spec.destination.s3.as_ref().and_then(|s3| s3.credentials.as_ref()) {
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let reference = Reference::new("spec.destination.s3.credentials", &credentials.secret_name, &keys);
        found.push(Reference { is_read_again: true, ..reference.replicator() });
    }
    if let Some(push) = spec.connect.build.as_ref().and_then(|build| build.push_secret.as_ref()) {
        found.push(Reference::new("spec.connect.build.pushSecret", push, &[".dockerconfigjson"]));
    }
    found
}

/// Worker and replicator talk to the brokers; the connector does by its worker.
fn kafka_references(external: &ExternalKafka, name: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    if let Some(authority) = external.tls.as_ref().and_then(|tls| tls.ca_secret.as_ref()) {
        let field = "spec.kafka.external.tls.caSecret";
        found.push(Reference::new(field, &authority.secret_name, &[&authority.key]));
    }
    if let Some(certificate) = external.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref()) {
        let field = "spec.kafka.external.tls.clientCertificate";
        let reference = Reference::new(field, &certificate.secret_name, &["tls.crt", "tls.key"]);
        found.push(Reference { in_worker_settings: external.sasl.is_some(), ..reference });
    }
    if let Some(sasl) = &external.sasl {
        let reference = login("spec.kafka.external.sasl.credentials", &sasl.credentials);
        found.push(Reference { text: Text::Quoted, in_worker_settings: true, ..reference });
    }
    let strimzis = [kafka::user_name(name), kafka::authority_name(name)];
    let all = found.into_iter().map(|reference| reference.replicator().worker());
    all.map(|reference| {
        let comes_later = strimzis.contains(&reference.secret);
        Reference { comes_later, in_worker_settings: reference.in_worker_settings && !comes_later, ..reference }
    })
    .collect()
}

fn login(field: &'static str, secret: &SecretRef) -> Reference {
    Reference { text: Text::Line, ..Reference::new(field, &secret.secret_name, &["username", "password"]) }
}

impl Reference {
    fn new(field: &'static str, secret: &str, keys: &[&str]) -> Self {
        Self {
            field,
            secret: secret.to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            text: Text::Any,
            comes_later: false,
            in_connector: false,
            in_replicator: false,
            is_read_again: false,
            in_worker: false,
            in_worker_settings: false,
        }
    }

    const fn connector(mut self) -> Self {
        self.in_connector = true;
        self
    }

    const fn replicator(mut self) -> Self {
        self.in_replicator = true;
        self
    }

    const fn worker(mut self) -> Self {
        self.in_worker = true;
        self
    }
}

impl SecretVersions {
    /// Whether every Secret is there, with its keys, and each value can be used.
    pub(super) fn check(&self, references: &[Reference]) -> Result<(), Rejection> {
        references.iter().filter(|reference| !reference.comes_later).try_for_each(|reference| self.check_one(reference))
    }

    fn check_one(&self, reference: &Reference) -> Result<(), Rejection> {
        let (field, name) = (reference.field, &reference.secret);
        let Some(secret) = self.0.get(name) else {
            let keys = reference.keys.join(" and ");
            let advice = format!("create it with the keys {keys}, or name another one");
            return Err(Rejection::new(field, "SecretNotFound", format!("there is no Secret {name}"), advice));
        };
        for key in &reference.keys {
            let Some(value) = secret.keys.get(key) else {
                let message = format!("the Secret {name} has no key {key}");
                let advice = format!("add the key {key} to it, or name another Secret");
                return Err(Rejection::new(field, "SecretKeyMissing", message, advice));
            };
            check_value(reference, key, *value)?;
        }
        Ok(())
    }

    /// A short text that changes when one of these Secrets does.
    pub(super) fn version_of<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let names: BTreeSet<&str> = names.collect();
        let version = |name| self.0.get(name).map_or("", |secret| secret.version.as_str());
        let lines: Vec<String> = names.into_iter().map(|name| format!("{name}={}\n", version(name))).collect();
        digest(&lines.concat())
    }
}

fn check_value(reference: &Reference, key: &str, value: SecretValue) -> Result<(), Rejection> {
    let name = &reference.secret;
    let wrong = |reason, message: &str, advice: String| {
        Err(Rejection::new(
            reference.field,
            reason,
            format!("the value of {key} in the Secret {name} {message}"),
            advice,
        ))
    };
    if value.is_empty {
        // Kafka Connect would log in with an empty password, and say nothing.
        return wrong("SecretValueEmpty", "is empty", "write the value into it".to_owned());
    }
    if reference.text != Text::Any && value.ends_with_line_break {
        let advice = format!("write it without, as kubectl create secret generic {name} --from-literal={key}=… does");
        return wrong(
            "SecretValueHasLineBreak",
            "ends with a line break, which Kafka Connect takes for a part of it",
            advice,
        );
    }
    if reference.text == Text::Quoted && value.needs_escapes {
        let advice = "choose one without these characters".to_owned();
        return wrong(
            "SecretValueNotQuotable",
            "has a \" or a \\, which Kafka's login configuration cannot hold",
            advice,
        );
    }
    Ok(())
}

/// Whether a Secret of this name is one that Strimzi makes for the user of the resource's own cluster.
pub(super) fn is_user(name: &str, resource: &str, authentication: StrimziAuthentication) -> bool {
    authentication != StrimziAuthentication::None && name == kafka::user_name(resource)
}
