//! Whether what the status says about the tables comes from the pods that run now: it stays when they go.

use jiff::Timestamp;
use serde_json::Value;
use tributary_crds::CdcReplication;

use crate::apply::Live;

/// The field manager of the pod with this ordinal.
fn ordinal(manager: &str) -> Option<u32> {
    manager.strip_prefix("tributary-replicator-")?.parse().ok()
}

/// Whether every table of the spec that has a status has it from a pod that has been running since.
///
/// The API server notes for each field manager which tables it reported, and when it last changed them.
pub fn since_start(resource: &CdcReplication, live: &[Live]) -> bool {
    let tables = resource.status.as_ref().map(|status| status.tables.as_slice()).unwrap_or_default();
    let of_spec = |name: &str| resource.spec.tables.iter().any(|table| table.name == name);
    tables.iter().filter(|table| of_spec(&table.name)).all(|table| is_current(resource, live, &table.name))
}

fn is_current(resource: &CdcReplication, live: &[Live], table: &str) -> bool {
    let key = format!("k:{}", serde_json::json!({ "name": table }));
    let entries = resource.metadata.managed_fields.iter().flatten();
    let reported = entries.filter(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields["f:status"]["f:tables"].get(&key).is_some())
    });
    let mut reports = reported.filter_map(|entry| Some((ordinal(entry.manager.as_deref()?)?, entry.time.as_ref()?.0)));
    reports.any(|(ordinal, time)| started(live, ordinal).is_some_and(|started| time >= started))
}

/// When the container of the pod with this ordinal started; `None` when it does not run.
fn started(live: &[Live], ordinal: u32) -> Option<Timestamp> {
    let suffix = format!("-{ordinal}");
    let pod = live.iter().find(|live| live.kind.kind == "Pod" && live.name.ends_with(&suffix))?;
    let containers = pod.object.pointer("/status/containerStatuses").and_then(Value::as_array)?;
    let starts =
        containers.iter().map(|container| container.pointer("/state/running/startedAt")?.as_str()?.parse().ok());
    starts.collect::<Option<Vec<Timestamp>>>()?.into_iter().max()
}
