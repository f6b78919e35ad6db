//! What the product says: the condition of a resource, or what the operator would make of the replicator's words.

use kube::Api;
use tributary_crds::{CdcReplication, CdcReplicationStatus};
use tributary_e2e::pipeline::Pipeline;
use tributary_operator::report::{Part, Standing, caught_up};

use super::verdict::Said;

/// The resource as if it had only this table: whether another one is caught up says nothing of this one.
pub(super) fn of_one(resource: &CdcReplication, table: &str) -> CdcReplication {
    let mut resource = resource.clone();
    resource.spec.tables.retain(|spec| spec.name == table);
    assert_eq!(resource.spec.tables.len(), 1, "the resource has no {table}");
    resource
}

/// The operator's words for what a replicator says of the table of this resource. All else works, for the operator to know.
pub(super) async fn by_replicator(pipeline: &Pipeline, http: &reqwest::Client, resource: &CdcReplication) -> Said {
    let works = Part::good("Works", "");
    // A process that does not answer is a pod that is not ready.
    let Ok(tables) = pipeline.tables_by(http).await else { return Said::no("ReplicatorNotReady") };
    let mut resource = resource.clone();
    let tables = tables.iter().map(Into::into).collect();
    resource.status = Some(CdcReplicationStatus { tables, ..CdcReplicationStatus::default() });
    let part = caught_up(&resource, &works, &works, &works, true);
    Said { is_caught_up: part.standing == Standing::Good, reason: part.reason }
}

/// What the condition says of the newest generation. One that speaks of an earlier generation says nothing of tables that were added since,
/// and whoever waits for it knows: `kubectl wait` passes over a condition whose `observedGeneration` is older than the resource's.
pub(super) async fn by_operator(replications: &Api<CdcReplication>, name: &str) -> Said {
    let Some(resource) = replications.get_opt(name).await.unwrap() else { return Said::no("NoResource") };
    let mut conditions = resource.status.iter().flat_map(|status| &status.conditions);
    let Some(condition) = conditions.find(|condition| condition.type_ == "CaughtUp") else {
        return Said::no("NoCondition");
    };
    if condition.observed_generation != resource.metadata.generation {
        return Said::no("OfAnEarlierGeneration");
    }
    Said { is_caught_up: condition.status == "True", reason: condition.reason.clone() }
}
