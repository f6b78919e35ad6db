//! The one user of the resource's own cluster: connector, workers and replicator log in as it.

use tributary_crds::StrimziAuthentication;

use super::{Component, of_cluster};
use crate::plan::{Plan, kafka_user};
use crate::strimzi::{Resource, kafka::Authentication, user::KafkaUserSpec};

pub(super) fn user(plan: &Plan) -> Option<Resource<KafkaUserSpec>> {
    let type_ = match plan.kafka.as_ref()?.authentication {
        StrimziAuthentication::None => return None,
        StrimziAuthentication::ScramSha512 => "scram-sha-512",
        StrimziAuthentication::Tls => "tls",
    };
    let metadata = of_cluster(Component::Kafka.kept(plan, kafka_user(&plan.name)), &plan.name);
    Some(Resource::new(metadata, KafkaUserSpec { authentication: Authentication { type_ } }))
}
