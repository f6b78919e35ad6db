//! The pods that write the Delta tables.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use tributary_crds::{CdcReplication, Resources, Scheme};

use super::secrets::Reference;
use super::{Defaults, OwnKafka, Rejection, SecretVersions, secrets};

/// The replicator's pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicatorPlan {
    /// Their image.
    pub image: String,
    /// How many shares the tables are divided into, one for each pod.
    pub shards: i32,
    /// How many pods there are to be now: one for each share, or none.
    pub pods: i32,
    /// CPU and memory of each.
    pub resources: Resources,
    /// The Secrets that are mounted.
    pub secrets: Vec<MountedSecret>,
    /// Changes when one of these Secrets does.
    pub secrets_version: String,
}

/// A Secret as the pods mount it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountedSecret {
    /// Name of the Secret.
    pub name: String,
    /// Strimzi made it for a `KafkaUser`, and its keys are other ones than the replicator reads.
    pub is_kafka_user: bool,
}

impl ReplicatorPlan {
    pub(super) fn of(
        resource: &CdcReplication,
        kafka: Option<&OwnKafka>,
        defaults: &Defaults,
        references: &[Reference],
        versions: &SecretVersions,
    ) -> Result<Self, Rejection> {
        let spec = &resource.spec.replicator;
        if resource.spec.destination.scheme() == Some(Scheme::File) {
            let message = "a folder of a pod is lost with the pod";
            let advice = "use s3://bucket/prefix in a cluster; file:// is for replicator run on one machine";
            return Err(Rejection::new("spec.destination.uri", "LocalDestination", message, advice));
        }
        if resource.spec.replicator.copy.connections == 0 {
            let message = "0 means that all rows come with the events of a connector of your own, and the operator makes one that \
                           sends changes only";
            let advice = "set it to 1 or more";
            return Err(Rejection::new("spec.replicator.copy.connections", "NoConnections", message, advice));
        }
        let resources = spec.resources.clone().unwrap_or_else(|| default_resources(spec.memory.bytes()));
        check_amounts("spec.replicator.resources", &resources)?;
        check_memory(&resources, spec.memory.bytes())?;
        let used = || references.iter().filter(|reference| reference.in_replicator);
        let is_kafka_user =
            |name: &str| kafka.is_some_and(|kafka| secrets::is_user(name, &resource.name_any(), kafka.authentication));
        let mut mounted: Vec<MountedSecret> = used()
            .map(|reference| MountedSecret {
                name: reference.secret.clone(),
                is_kafka_user: is_kafka_user(&reference.secret),
            })
            .collect();
        mounted.sort();
        mounted.dedup();
        let needs_restart = used().filter(|reference| !reference.is_read_again);
        Ok(Self {
            image: spec.image.clone().unwrap_or_else(|| defaults.replicator_image.clone()),
            shards: spec.replicas,
            pods: if resource.spec.suspend { 0 } else { spec.replicas },
            resources,
            secrets: mounted,
            secrets_version: versions.version_of(needs_restart.map(|reference| reference.secret.as_str())),
        })
    }
}

/// Twice the messages' memory, as the reference page asks for; and four times that before the pod is killed. Little
/// of a CPU, so that many fit on a small node, and no limit of it: a throttled commit is a late commit.
fn default_resources(memory: u64) -> Resources {
    let mebibytes = |times: u64| format!("{}Mi", memory.saturating_mul(times).div_ceil(1 << 20));
    memory_resources("100m", &mebibytes(2), &mebibytes(8))
}

/// CPU and memory without a limit of CPU.
pub(crate) fn memory_resources(cpu: &str, memory: &str, limit: &str) -> Resources {
    resources(&[("cpu", cpu), ("memory", memory)], &[("memory", limit)])
}

fn resources(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> Resources {
    let amounts = |pairs: &[(&str, &str)]| -> BTreeMap<String, IntOrString> {
        pairs.iter().map(|(name, amount)| ((*name).to_owned(), IntOrString::String((*amount).to_owned()))).collect()
    };
    Resources { requests: amounts(requests), limits: amounts(limits) }
}

/// Refuses what the API server would refuse in the pod's template, with a better address.
pub(super) fn check_amounts(field: &str, resources: &Resources) -> Result<(), Rejection> {
    for (part, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        if let Some((name, amount)) = amounts.iter().find(|(_, amount)| !is_amount(amount)) {
            let message = format!("\"{}\" is not an amount", text(amount));
            let advice = "write a number with or without a unit, such as 500m, 2, 512Mi or 4Gi";
            return Err(Rejection::new(format!("{field}.{part}.{name}"), "AmountUnreadable", message, advice));
        }
    }
    Ok(())
}

/// A pod with less is killed as soon as its buffers are full.
fn check_memory(resources: &Resources, memory: u64) -> Result<(), Rejection> {
    let limit = resources.limits.get("memory").and_then(|limit| text(limit).parse::<tributary_crds::Quantity>().ok());
    match limit {
        Some(limit) if limit.bytes() < memory.saturating_mul(2) => Err(Rejection::new(
            "spec.replicator.resources.limits.memory",
            "MemoryLimitTooSmall",
            format!("{limit} is less than twice spec.replicator.memory, so the pod would be killed under load"),
            "raise the limit, or lower spec.replicator.memory",
        )),
        _ => Ok(()),
    }
}

fn text(amount: &IntOrString) -> String {
    match amount {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

fn is_amount(amount: &IntOrString) -> bool {
    let text = text(amount);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let units = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    number.parse::<f64>().is_ok() && units.contains(&unit)
}
