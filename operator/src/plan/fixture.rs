//! Resources for tests, from a few lines of YAML, through the real plan.

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use serde_json::Value;
use tributary_crds::CdcReplication;

use super::{Defaults, SecretVersion, SecretVersions, secret_names};

/// What the operator's settings say in tests.
pub(crate) fn defaults() -> Defaults {
    Defaults {
        replicator_image: "tributary/replicator:0.1.0".to_owned(),
        connect_image: Some("registry.example.com/connect:3.7.0".to_owned()),
        kafka_version: "4.3.1".to_owned(),
        pod_monitors: false,
    }
}

/// A resource as the API server has it. What the YAML leaves out gets the schema's defaults.
pub(crate) fn resource(yaml: &str) -> CdcReplication {
    let mut document: Value = serde_saphyr::from_str(yaml).unwrap();
    document["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555".into();
    document["metadata"]["generation"] = 1.into();
    serde_json::from_value(document).unwrap()
}

/// Every Secret that a resource names, with every key that anybody could ask for.
pub(crate) fn secrets(resource: &CdcReplication) -> SecretVersions {
    let names = secret_names(resource).into_iter().enumerate();
    SecretVersions(names.map(|(number, name)| (name, secret(&(100 + number).to_string(), "value"))).collect())
}

/// A Secret with every key, all with this value.
pub(crate) fn secret(version: &str, value: &str) -> SecretVersion {
    const KEYS: [&str; 9] = [
        "username",
        "password",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "ca.crt",
        "tls.crt",
        "tls.key",
        "user.crt",
        ".dockerconfigjson",
    ];
    let data = KEYS.map(|key| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
    let metadata = ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() };
    SecretVersion::of(&Secret { metadata, data: Some(data.into()), ..Secret::default() })
}
