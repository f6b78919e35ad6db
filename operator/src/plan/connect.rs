//! Kafka Connect: one of the resource's own, or one that exists; and the Secrets that the connector reads.

use std::collections::BTreeSet;

use kube::ResourceExt;
use tributary_crds::{AvroConverter, CdcReplication, Resources};

use super::secrets::Reference;
use super::{Defaults, Rejection, SecretVersions, replicator};

/// The Kafka Connect that runs the connector.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectPlan {
    /// Name of the `KafkaConnect`.
    pub name: String,
    /// How it is made; `None` when it exists already.
    pub own: Option<OwnConnect>,
    /// The Secrets that its `ServiceAccount` must be allowed to read.
    pub secrets: BTreeSet<String>,
    /// Changes when a Secret that the connector's configuration has placeholders for does.
    pub connector_secrets_version: String,
}

/// A Kafka Connect of the resource's own.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnConnect {
    /// Where its image comes from.
    pub image: ConnectImage,
    /// Number of workers.
    pub replicas: i32,
    /// CPU and memory of each worker.
    pub resources: Resources,
    /// Version of Kafka.
    pub version: String,
    /// Changes when a Secret that the workers log in with does; `None` when there is none.
    pub secrets_version: Option<String>,
}

/// Where the image of the workers comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectImage {
    /// It is there, with the connector in it.
    Ready(String),
    /// Strimzi builds it and pushes it.
    Build {
        /// Name and tag under which it is pushed.
        image: String,
        /// Secret with the right to push.
        push_secret: Option<String>,
    },
}

impl ConnectPlan {
    pub(super) fn of(
        resource: &CdcReplication,
        defaults: &Defaults,
        references: &[Reference],
        secrets: &SecretVersions,
    ) -> Result<Self, Rejection> {
        let spec = &resource.spec.connect;
        let of = |used: fn(&Reference) -> bool| {
            references.iter().filter(move |reference| used(reference)).map(|reference| reference.secret.as_str())
        };
        let connector = of(|reference| reference.in_connector);
        let worker = of(|reference| reference.in_worker);
        let own = match spec.cluster_name {
            Some(_) => None,
            None => Some(own(resource, defaults, worker, secrets)?),
        };
        // Strimzi mounts what it has words for; the rest, the workers read as connectors do.
        let in_settings = of(|reference| reference.in_worker_settings).filter(|_| own.is_some());
        let readable = connector.clone().chain(in_settings).map(str::to_owned).collect();
        Ok(Self {
            name: spec.cluster_name.clone().unwrap_or_else(|| resource.name_any()),
            own,
            secrets: readable,
            connector_secrets_version: secrets.version_of(connector),
        })
    }
}

fn own<'a>(
    resource: &CdcReplication,
    defaults: &Defaults,
    worker: impl Iterator<Item = &'a str> + Clone,
    secrets: &SecretVersions,
) -> Result<OwnConnect, Rejection> {
    let spec = &resource.spec.connect;
    let resources = spec.resources.clone().unwrap_or_else(|| {
        // The heap is half of the limit; Debezium's queue of 2,048 changes and the producer's buffers fit into it.
        replicator::memory_resources("250m", "1Gi", "2Gi")
    });
    replicator::check_amounts("spec.connect.resources", &resources)?;
    Ok(OwnConnect {
        image: image(resource, defaults)?,
        replicas: spec.replicas,
        resources,
        version: defaults.kafka_version.clone(),
        secrets_version: worker.clone().next().is_some().then(|| secrets.version_of(worker)),
    })
}

fn image(resource: &CdcReplication, defaults: &Defaults) -> Result<ConnectImage, Rejection> {
    let spec = &resource.spec.connect;
    if let Some(image) = &spec.image {
        return Ok(ConnectImage::Ready(image.clone()));
    }
    registry_authority(resource)?;
    if let Some(build) = &spec.build {
        buildable(resource)?;
        return Ok(ConnectImage::Build { image: build.image.clone(), push_secret: build.push_secret.clone() });
    }
    defaults.connect_image.clone().map(ConnectImage::Ready).ok_or_else(|| {
        let message = "no image of Kafka Connect with the Debezium Postgres connector is given, and the operator has no default";
        let advice = "set spec.connect.image, spec.connect.build or spec.connect.clusterName, or connect.image of the Helm chart";
        Rejection::new("spec.connect", "ConnectImageMissing", message, advice)
    })
}

/// The converters of both kinds trust what Java trusts, or a Java key store, and never a certificate in PEM form.
fn registry_authority(resource: &CdcReplication) -> Result<(), Rejection> {
    if resource.spec.format.avro.as_ref().is_none_or(|avro| avro.tls.is_none()) {
        return Ok(());
    }
    let message = "the Avro converter of Kafka Connect cannot be told to trust this authority, only its image can";
    let advice = "set spec.connect.image (or clusterName) to one whose Java trusts it, or use a registry certificate of a public authority";
    Err(Rejection::new("spec.format.avro.tls", "RegistryAuthorityUnknown", message, advice))
}

/// Strimzi takes plugins from Maven Central, and Confluent's converter is not there.
fn buildable(resource: &CdcReplication) -> Result<(), Rejection> {
    if resource.spec.format.avro.as_ref().is_none_or(|avro| avro.converter != AvroConverter::Confluent) {
        return Ok(());
    }
    let message = "Confluent's Avro converter is not on Maven Central, so it cannot be built into the image";
    let advice = "set converter: Apicurio, or spec.connect.image to an image that has Confluent's";
    Err(Rejection::new("spec.format.avro.converter", "ConverterNotBuildable", message, advice))
}
