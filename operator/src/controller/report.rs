//! Writes what a pass has to say: status and events, each only if something changed.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use tributary_crds::{CdcReplication, CdcReplicationStatus};

use super::Memory;
use super::pass::Pass;
use crate::apply::Applied;
use crate::build::{Children, MANAGER};
use crate::error::PassError;
use crate::metrics::ObjectState;
use crate::report::{self, Part, Said};
use crate::watch::key;

impl Pass<'_> {
    /// The report of a pass that looked at everything. `problem` is what stopped it, if something did.
    pub(super) async fn report(
        &self,
        memory: &mut Memory,
        children: &Children<Applied>,
        source: Part,
        problem: Option<&Part>,
    ) -> Result<(), PassError> {
        let parts = self.parts(children, source);
        let ready = report::ready(self.resource, &parts, problem);
        let said = Said::of_parts(&self.before(memory), &ready, &parts);
        self.context.metrics.object(&key(self.resource), Some(report::state(self.resource, &ready)));
        let status = report::status(self.resource, &said, &memory.tables, Timestamp::now());
        self.say(memory, &said, &status).await
    }

    /// The report of a pass that failed: what is there is still judged.
    pub(super) async fn report_failure(&self, memory: &mut Memory, error: &PassError) -> Result<(), PassError> {
        // That the status cannot be written cannot be written either.
        if matches!(error, PassError::Status(_)) {
            return Ok(());
        }
        let problem = error.part();
        if self.resource.metadata.deletion_timestamp.is_some() {
            return self.report_ready(memory, &problem).await;
        }
        let source = Self::source_as_known(memory);
        self.report(memory, &Children::seen(self.live()), source, Some(&problem)).await
    }

    /// A deletion goes on, or waits.
    pub(super) async fn report_deletion(&self, memory: &mut Memory, what: &str) -> Result<(), PassError> {
        self.report_ready(memory, &Part::working("Deleting", what)).await
    }

    async fn report_ready(&self, memory: &mut Memory, ready: &Part) -> Result<(), PassError> {
        let said = Said::of_ready(&self.before(memory), ready);
        self.context.metrics.object(&key(self.resource), Some(report::state(self.resource, ready)));
        let status = report::status(self.resource, &said, &memory.tables, Timestamp::now());
        self.say(memory, &said, &status).await
    }

    /// The operator leaves the resource alone: only that is said, and all else stays as it was.
    pub(super) async fn report_pause(&self, memory: &mut Memory) -> Result<(), PassError> {
        let message = format!("the annotation {} is true: remove it to go on", super::PAUSE);
        let said = Said::of_pause(&self.before(memory), &Part::good("Paused", message));
        self.context.metrics.object(&key(self.resource), Some(ObjectState::Paused));
        let status = report::paused(self.resource, &said, Timestamp::now());
        self.say(memory, &said, &status).await
    }

    /// What was said before: by us, if we remember, since the watch may be behind.
    fn before(&self, memory: &Memory) -> Vec<Condition> {
        let known = || self.resource.status.as_ref().map(|status| status.conditions.clone());
        memory.said.clone().or_else(known).unwrap_or_default()
    }

    async fn say(&self, memory: &mut Memory, said: &Said, status: &CdcReplicationStatus) -> Result<(), PassError> {
        if report::differs(self.resource, status) {
            let api = Api::<CdcReplication>::namespaced(self.context.client.clone(), self.namespace());
            let params = PatchParams::apply(MANAGER).force();
            let patch = Patch::Apply(report::applied(self.resource, status));
            match api.patch_status(self.name(), &params, &patch).await {
                Ok(_) => {}
                // Deleted meanwhile: nobody is left to read it.
                Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
                Err(error) => return Err(PassError::Status(error)),
            }
        }
        for notice in report::notices(said) {
            self.context.publish(self.resource, &notice).await;
        }
        memory.said = Some(status.conditions.clone());
        Ok(())
    }
}
