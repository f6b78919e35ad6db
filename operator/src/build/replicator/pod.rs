//! A pod of the replicator.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapProjection, ConfigMapVolumeSource, Container, ContainerPort,
    EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction, KeyToPath, ObjectFieldSelector, PodSecurityContext,
    PodSpec, PodTemplateSpec, Probe, ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecretProjection,
    SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta, util::intstr::IntOrString};
use tributary_crds::{Resources, StrimziAuthentication};

use super::configuration::{DOCUMENT, KAFKA_USERNAME, hash};
use super::{HTTP, name, selector};
use crate::build::{Component, SECRETS_VERSION};
use crate::plan::{MountedSecret, Plan, digest};

const DOCUMENT_PATH: &str = "/etc/tributary/replication.yaml";
const SECRETS_PATH: &str = "/etc/tributary/secrets";
const CONFIGURATION: &str = "configuration";
const SCRATCH: &str = "tmp";
const INDEX: &str = "index";
const INDEX_PATH: &str = "/var/lib/tributary/index";
/// The images' user.
const USER: i64 = 65_532;
/// Group and owner may read what is mounted, and nobody else.
const READABLE: i32 = 0o440;

pub(super) fn template(plan: &Plan, configuration: &ConfigMap) -> PodTemplateSpec {
    let annotations = BTreeMap::from([
        ("tributary.dev/config-hash".to_owned(), hash(configuration)),
        (SECRETS_VERSION.to_owned(), plan.replicator.secrets_version.clone()),
    ]);
    let metadata = ObjectMeta {
        labels: Some(Component::Replicator.labels(plan)),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(spec(plan)) }
}

fn spec(plan: &Plan) -> PodSpec {
    PodSpec {
        service_account_name: Some(name(plan)),
        // To report the state of its tables.
        automount_service_account_token: Some(true),
        // Variables of every Service of the namespace: nobody reads them.
        enable_service_links: Some(false),
        // A running commit has 18 seconds to end.
        termination_grace_period_seconds: Some(30),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            // Mounted Secrets belong to this group, and it may write to the index's volume.
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            topology_key: "kubernetes.io/hostname".to_owned(),
            max_skew: 1,
            // Better two on one node than one that waits.
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(selector(plan)),
            ..TopologySpreadConstraint::default()
        }]),
        containers: vec![container(plan)],
        volumes: Some(volumes(plan)),
        ..PodSpec::default()
    }
}

fn container(plan: &Plan) -> Container {
    let port = i32::from(plan.resource.spec.replicator.http_port);
    Container {
        name: "replicator".to_owned(),
        image: Some(plan.replicator.image.clone()),
        args: Some(arguments(plan)),
        env: Some(vec![
            variable("POD_NAME", "metadata.name"),
            // The StatefulSet's own label: the pod's ordinal.
            variable("POD_INDEX", "metadata.labels['apps.kubernetes.io/pod-index']"),
            EnvVar { name: "TRIBUTARY_INDEX_DIR".to_owned(), value: Some(INDEX_PATH.to_owned()), ..EnvVar::default() },
        ]),
        ports: Some(vec![ContainerPort {
            name: Some(HTTP.to_owned()),
            container_port: port,
            ..ContainerPort::default()
        }]),
        // All three ask whether the process answers. What its tables do is not for Kubernetes to judge: a table that
        // stopped needs somebody, and neither a restart nor a stuck rollout helps the others.
        startup_probe: Some(probe(1, 60)),
        readiness_probe: Some(probe(5, 3)),
        liveness_probe: Some(probe(10, 6)),
        resources: Some(resources(&plan.replicator.resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(plan)),
        // The last lines of the log say why it ended.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn arguments(plan: &Plan) -> Vec<String> {
    let shard = format!("$(POD_INDEX)/{}", plan.replicator.shards);
    let status_of = format!("{}/{}", plan.namespace, plan.name);
    let arguments = [
        "run",
        "--file",
        DOCUMENT_PATH,
        "--secrets",
        SECRETS_PATH,
        "--shard",
        &shard,
        "--status-of",
        &status_of,
        "--log-format",
        "json",
    ];
    arguments.map(str::to_owned).to_vec()
}

fn variable(name: &str, field: &str) -> EnvVar {
    let field_ref = Some(ObjectFieldSelector { field_path: field.to_owned(), ..ObjectFieldSelector::default() });
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource { field_ref, ..EnvVarSource::default() }),
        ..EnvVar::default()
    }
}

fn probe(period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/healthz".to_owned()),
            port: IntOrString::String(HTTP.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn resources(resources: &Resources) -> ResourceRequirements {
    let amounts = |amounts: &BTreeMap<String, IntOrString>| {
        let amount = |amount: &IntOrString| match amount {
            IntOrString::Int(number) => Quantity(number.to_string()),
            IntOrString::String(text) => Quantity(text.clone()),
        };
        Some(amounts.iter().map(|(name, it)| (name.clone(), amount(it))).collect())
    };
    ResourceRequirements {
        requests: amounts(&resources.requests),
        limits: amounts(&resources.limits),
        ..ResourceRequirements::default()
    }
}

fn mounts(plan: &Plan) -> Vec<VolumeMount> {
    let mount = |name: &str, path: String| VolumeMount {
        name: name.to_owned(),
        mount_path: path,
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let mut mounts = vec![
        // One file, because the Secrets are mounted beside it. It does not follow a change: the pods do.
        VolumeMount { sub_path: Some(DOCUMENT.to_owned()), ..mount(CONFIGURATION, DOCUMENT_PATH.to_owned()) },
        VolumeMount { read_only: None, ..mount(SCRATCH, "/tmp".to_owned()) },
        VolumeMount { read_only: None, ..mount(INDEX, INDEX_PATH.to_owned()) },
    ];
    let secrets = plan.replicator.secrets.iter();
    mounts.extend(secrets.map(|secret| mount(&volume_name(secret), format!("{SECRETS_PATH}/{}", secret.name))));
    mounts
}

fn volumes(plan: &Plan) -> Vec<Volume> {
    let configuration = ConfigMapVolumeSource { name: name(plan), ..ConfigMapVolumeSource::default() };
    let size_limit = Some(Quantity(plan.resource.spec.replicator.index.storage.to_string()));
    let mut volumes = vec![
        Volume { name: CONFIGURATION.to_owned(), config_map: Some(configuration), ..Volume::default() },
        empty_dir(SCRATCH, EmptyDirVolumeSource::default()),
        // It can be lost, so the node's own disk does.
        empty_dir(INDEX, EmptyDirVolumeSource { size_limit, ..EmptyDirVolumeSource::default() }),
    ];
    volumes.extend(plan.replicator.secrets.iter().map(|secret| volume(plan, secret)));
    volumes
}

fn empty_dir(name: &str, source: EmptyDirVolumeSource) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() }
}

/// A Secret's name can be longer than a volume's.
fn volume_name(secret: &MountedSecret) -> String {
    format!("secret-{}", &digest(&secret.name)[..8])
}

fn volume(plan: &Plan, secret: &MountedSecret) -> Volume {
    let name = volume_name(secret);
    if secret.is_kafka_user {
        return Volume { name, projected: Some(kafka_user(plan, secret)), ..Volume::default() };
    }
    let source = SecretVolumeSource {
        secret_name: Some(secret.name.clone()),
        default_mode: Some(READABLE),
        ..SecretVolumeSource::default()
    };
    Volume { name, secret: Some(source), ..Volume::default() }
}

/// Strimzi's Secret of a `KafkaUser` under the names that the replicator reads: as in a Secret of type
/// `kubernetes.io/tls`, or with `username` and `password`.
fn kafka_user(plan: &Plan, secret: &MountedSecret) -> ProjectedVolumeSource {
    let item = |key: &str, path: &str| KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None };
    let is_tls = plan.kafka.as_ref().is_some_and(|kafka| kafka.authentication == StrimziAuthentication::Tls);
    let items = if is_tls {
        vec![item("user.crt", "tls.crt"), item("user.key", "tls.key")]
    } else {
        vec![item("password", "password")]
    };
    let secret = SecretProjection { name: secret.name.clone(), items: Some(items), ..SecretProjection::default() };
    let mut sources = vec![VolumeProjection { secret: Some(secret), ..VolumeProjection::default() }];
    if !is_tls {
        let items = Some(vec![item(KAFKA_USERNAME, "username")]);
        let config_map = ConfigMapProjection { name: name(plan), items, ..ConfigMapProjection::default() };
        sources.push(VolumeProjection { config_map: Some(config_map), ..VolumeProjection::default() });
    }
    ProjectedVolumeSource { sources: Some(sources), default_mode: Some(READABLE) }
}
