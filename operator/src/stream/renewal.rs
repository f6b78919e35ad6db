//! A broken stream is begun anew: the connector stops, slot and publication go, its positions are forgotten, and when every table
//! has seen that changes are missing, it starts with a slot and a publication of a new beginning.
//!
//! Each step can be done again, and what is left to do follows from what is there: until the last step the connector is noted to
//! read a stream that has no slot any more.

use serde_json::{Value, json};
use tributary_crds::{CdcReplication, TablePhase, TableStatus};
use tributary_sources::postgres::{self, Break};

use super::{SOURCE, connector, source};
use crate::apply::{ApplyError, Live, Target};
use crate::log::described;
use crate::report::Part;
use crate::strimzi::offsets::{OFFSETS, Reset, next};

/// How far the stream of a resource is on its way to a new beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    why: Break,
    /// Strimzi was asked to forget the connector's positions.
    reset_asked: bool,
}

impl Renewal {
    /// Begins one.
    pub const fn new(why: Break) -> Self {
        Self { why, reset_asked: false }
    }

    /// Goes one step on, and says how the source stands meanwhile; `None` when the connector may start.
    pub async fn advance(
        &mut self,
        target: &Target<'_>,
        resource: &CdcReplication,
    ) -> Result<Option<Part>, ApplyError> {
        let waits = match connector(target.live) {
            Some(live) => self.step(target, live, resource).await?,
            None => None,
        };
        let finding = self.why.finding(resource);
        Ok(waits.map(|waits| Part::bad(finding.reason, format!("{finding} Now: {waits}"))))
    }

    /// What is waited for.
    async fn step(
        &mut self,
        target: &Target<'_>,
        live: &Live,
        resource: &CdcReplication,
    ) -> Result<Option<String>, ApplyError> {
        // As it is, not as it was last seen: Strimzi takes the annotation away when it has done what it says.
        let Some(now) = target.ask("get", live, None).await? else { return Ok(None) };
        let change = match next(&now, self.reset_asked) {
            Reset::Stop => json!({"spec": {"state": "stopped"}}),
            Reset::Wait => return Ok(Some("the connector stops and forgets its positions".to_owned())),
            Reset::Ask => match drop_stream(target, resource).await {
                Ok(()) => {
                    self.reset_asked = true;
                    json!({"metadata": {"annotations": {OFFSETS: "reset"}}})
                }
                Err(why) => return Ok(Some(format!("slot and publication cannot be dropped yet: {why}"))),
            },
            Reset::Done => match (unaware(resource), source(&now), source(&live.object)) {
                (Some(tables), _, _) => return Ok(Some(tables)),
                (None, None, None) => return Ok(None),
                (None, None, Some(_)) => return Ok(Some("the connector starts".to_owned())),
                (None, Some(_), _) => json!({"metadata": {"annotations": {SOURCE: Value::Null}}}),
            },
        };
        target.ask("change", live, Some(change)).await?;
        Ok(Some("the connector stops and forgets its positions".to_owned()))
    }
}

async fn drop_stream(target: &Target<'_>, resource: &CdcReplication) -> Result<(), String> {
    let Some(postgres) = &resource.spec.source.postgres else { return Ok(()) };
    let credentials = crate::observe::credentials(target.client, target.namespace, postgres).await;
    let credentials = credentials.map_err(|error| described(&error))?;
    postgres::cleanup(resource, postgres, &credentials).await.map_err(|error| described(&error))
}

/// The tables that would be followed as if nothing was missing. Without pods none can say that it would not.
fn unaware(resource: &CdcReplication) -> Option<String> {
    if resource.spec.suspend {
        return Some("the resource is suspended; it goes on when that is over".to_owned());
    }
    let reported = resource.status.as_ref().map(|status| status.tables.as_slice()).unwrap_or_default();
    let sees = |name: &str| reported.iter().any(|table| table.name == name && sees_break(table));
    let names = resource.spec.tables.iter().map(|table| table.name.as_str());
    let unaware: Vec<&str> = names.filter(|name| !sees(name)).collect();
    (!unaware.is_empty()).then(|| {
        format!(
            "these tables are to see that changes are missing, which takes 30 s (one whose status does not say compared: true, as of \
             an earlier version, has to be told by the annotation tributary.dev/resync): {}",
            unaware.join(", ")
        )
    })
}

/// Whether a table has seen that changes are missing, or will before it follows any again. One that is not compared with its source
/// does not, in whatever phase it is.
fn sees_break(table: &TableStatus) -> bool {
    table.compared == Some(true) && table.phase != TablePhase::Streaming
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(reported: &Value, suspend: bool) -> CdcReplication {
        let table = json!({"name": "public.users"});
        let spec = json!({
            "source": {}, "tables": [table], "kafka": {}, "destination": {"uri": "file:///tmp"}, "suspend": suspend,
        });
        let status = json!({ "tables": reported });
        serde_json::from_value(json!({"metadata": {"name": "shop"}, "spec": spec, "status": status})).unwrap()
    }

    fn users(phase: &str, compared: bool) -> Value {
        json!([{"name": "public.users", "phase": phase, "compared": compared}])
    }

    #[test]
    fn tables_that_are_followed_are_waited_for_and_so_is_the_end_of_a_suspension() {
        assert!(unaware(&resource(&users("Streaming", true), false)).unwrap().ends_with(": public.users"));
        assert_eq!(unaware(&resource(&users("Waiting", true), false)), None);
        assert!(unaware(&resource(&users("Waiting", true), true)).unwrap().contains("suspended"));
    }

    #[test]
    fn a_table_that_would_not_see_that_changes_are_missing_is_waited_for_whatever_it_does() {
        for phase in ["Waiting", "Retrying", "Stopped"] {
            assert!(unaware(&resource(&users(phase, false), false)).is_some(), "{phase}");
            assert_eq!(unaware(&resource(&users(phase, true), false)), None, "{phase}");
        }
        let unknown = json!([{"name": "public.users", "phase": "Retrying"}]);
        assert!(unaware(&resource(&unknown, false)).is_some());
        assert!(unaware(&resource(&json!([]), false)).is_some());
    }
}
