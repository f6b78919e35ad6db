//! One pass over one resource: observe, plan, build, apply, report.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use serde_json::Value;
use tributary_crds::CdcReplication;
use tributary_sources::postgres::{self, Break};

use super::{Context, Memory, is_paused};
use crate::apply::{Applied, Live, Target};
use crate::build::{self, Children, Object};
use crate::error::PassError;
use crate::finalizer::{CleanUp, CleanUpStep, Duty, FINALIZER, Progress, duty};
use crate::observe::{SourceSeen, judged};
use crate::plan::{self, Plan};
use crate::report::{Notice, Part, Parts, Standing};
use crate::stream::{self, Renewal};

/// Everything is looked at again after this time, whatever the watches say.
const RESYNC: Duration = Duration::from_mins(10);
/// Secrets are not watched: a pass this often sees that one has changed.
const SECRETS: Duration = Duration::from_mins(1);
/// How often it is looked whether a stream that is begun anew can go on.
const RENEWAL: Duration = Duration::from_secs(2);

/// One pass over one resource.
pub(super) struct Pass<'a> {
    pub(super) resource: &'a CdcReplication,
    pub(super) context: &'a Context,
}

impl Pass<'_> {
    pub(super) fn namespace(&self) -> &str {
        self.resource.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.resource.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn live(&self) -> Vec<Live> {
        self.context.stores.of(self.namespace(), self.name())
    }

    fn target<'t>(&'t self, live: &'t [Live]) -> Target<'t> {
        let uid = self.resource.metadata.uid.as_deref().unwrap_or_default();
        Target { client: &self.context.client, namespace: self.namespace(), instance: self.name(), uid, live }
    }

    /// The whole pass; when it is to be done again.
    pub(super) async fn run(&self, memory: &mut Memory) -> Result<Action, PassError> {
        let deleting = self.resource.metadata.deletion_timestamp.is_some();
        let present = self.resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        if !deleting && is_paused(self.resource) {
            self.report_pause(memory).await?;
            return Ok(Action::requeue(RESYNC));
        }
        match duty(self.resource.spec.deletion_policy, present, deleting) {
            Duty::CleanUp => return self.clean_up(memory).await,
            Duty::Add => self.context.finalize(&self.resource.metadata, true).await?,
            Duty::Remove => self.context.finalize(&self.resource.metadata, false).await?,
            Duty::Nothing => {}
        }
        if deleting {
            return Ok(Action::await_change());
        }
        self.replicate(memory).await
    }

    async fn replicate(&self, memory: &mut Memory) -> Result<Action, PassError> {
        let seen = self.live();
        memory.tables.extend(replicated(&seen));
        let plan = self.plan(memory).await?;
        let pods = seen.iter().find(|live| live.kind.kind == "StatefulSet");
        let plan = plan.after_division(pods.map(|live| &live.object));
        let source = match self.renew(memory, &seen).await? {
            Some(part) => part,
            None => self.source(memory, &seen).await,
        };
        let (objects, held_back) = self.desired(memory, &plan, &source, &seen);
        let applied = self.target(&seen).apply(&objects, &held_back, &mut memory.futile).await?;
        self.report(memory, &applied, source, None).await?;
        if memory.renewal.is_some() {
            return Ok(Action::requeue(RENEWAL));
        }
        // Not less than a second, or a clock's rounding would make two passes of one.
        let again = memory.source.due_in(Timestamp::now()).clamp(Duration::from_secs(1), SECRETS);
        Ok(Action::requeue(again))
    }

    async fn plan(&self, memory: &mut Memory) -> Result<Plan, PassError> {
        let names = plan::secret_names(self.resource);
        memory.secrets.look(&self.context.client, self.namespace(), &names, Timestamp::now()).await?;
        let pod_monitors = build::KINDS.iter().any(|kind| kind.optional && self.context.stores.serves(kind));
        let defaults = plan::Defaults { pod_monitors, ..self.context.defaults.clone() };
        Ok(Plan::of(self.resource, &defaults, &memory.secrets.versions())?)
    }

    /// Brings a broken stream closer to a new beginning; how the source stands meanwhile. `None` when nothing is broken.
    async fn renew(&self, memory: &mut Memory, seen: &[Live]) -> Result<Option<Part>, PassError> {
        let Some(renewal) = &mut memory.renewal else { return Ok(None) };
        let part = renewal.advance(&self.target(seen), self.resource).await?;
        if part.is_none() {
            // What was found before is of the stream that was.
            (memory.renewal, memory.source) = (None, SourceSeen::default());
        }
        Ok(part)
    }

    /// How the source stands, once its publication is made what the resource needs. It is looked at while the resource is
    /// suspended too: its slot grows just then.
    pub(super) async fn source(&self, memory: &mut Memory, seen: &[Live]) -> Part {
        let Some(postgres) = &self.resource.spec.source.postgres else {
            return Part::bad("NoSource", "spec.source names no database: set spec.source.postgres");
        };
        let version = memory.secrets.version_of(&postgres.credentials.secret_name).to_owned();
        let look = memory.source.look(&self.context.client, self.resource, postgres, &version).await;
        let mut findings = look.findings.to_vec();
        if let Some(note) = look.changed {
            self.context.publish(self.resource, &Notice::normal("PublicationChanged", &note)).await;
        }
        let connector = stream::connector(seen);
        let broken =
            connector.zip(memory.source.facts()).and_then(|(connector, facts)| stream::break_of(connector, facts));
        let broken = broken.or_else(|| (connector.is_some() && memory.source.went_back()).then_some(Break::WentBack));
        if let Some(why) = broken {
            findings.insert(0, why.finding(self.resource));
            // Without pods nobody sees that changes are missing: a table that an earlier version made would go on without them.
            let renews = postgres::renews(self.resource) && !self.resource.spec.suspend;
            memory.renewal = renews.then(|| Renewal::new(why));
        }
        judged(&findings)
    }

    /// How the source stood when it was last asked.
    pub(super) fn source_as_known(memory: &Memory) -> Part {
        let unknown = || Part::unknown("NotChecked", "the source was not looked at yet");
        memory.source.findings().map_or_else(unknown, judged)
    }

    /// What is to be applied, of the kinds that are served, and what is held back: a connector that does not run yet and is to,
    /// until the source is ready and has the publication, without which the server would end its reading; and any whose slot is
    /// read for another resource, or whose stream is begun anew.
    fn desired(&self, memory: &Memory, plan: &Plan, source: &Part, seen: &[Live]) -> (Vec<Object>, Vec<Object>) {
        let starts = |live: &&Live| live.kind.kind == "KafkaConnector" && live.object["spec"]["state"] != "stopped";
        let is_ready = source.standing != Standing::Bad && memory.source.is_published();
        let cannot_start = !is_ready && !seen.iter().any(|live| starts(&live));
        let holds_back =
            memory.renewal.is_some() || ((cannot_start || memory.source.is_taken()) && !plan.is_suspended());
        let mut objects = build::children(plan).objects();
        for connector in objects.iter_mut().filter(|object| object.kind.kind == "KafkaConnector") {
            stream::note(connector, memory.source.facts(), stream::connector(seen));
        }
        let objects = objects.into_iter();
        let served = objects.filter(|object| self.context.stores.serves(object.kind));
        served.partition(|object| !holds_back || object.kind.kind != "KafkaConnector")
    }

    async fn clean_up(&self, memory: &mut Memory) -> Result<Action, PassError> {
        let mut progress = memory.clean_up.take().unwrap_or_else(|| Progress::new(Timestamp::now()));
        let live = self.live();
        let clean_up = CleanUp { target: self.target(&live), resource: self.resource };
        let step = clean_up.advance(&mut progress).await;
        memory.clean_up = Some(progress);
        match step? {
            CleanUpStep::Waits(again, what) => {
                self.report_deletion(memory, &what).await?;
                Ok(Action::requeue(again))
            }
            CleanUpStep::Done(left) => {
                for left in left {
                    let note = format!("left behind: {}. Remove it with: {}", left.what, left.command);
                    self.context.publish(self.resource, &Notice::warning("LeftBehind", &note)).await;
                    tracing::warn!(namespace = self.namespace(), instance = self.name(), note);
                }
                self.context.release(&self.resource.metadata).await?;
                Ok(Action::await_change())
            }
        }
    }

    /// How the parts stand, by the live objects.
    pub(super) fn parts(&self, children: &Children<Applied>, source: Part) -> Parts {
        use crate::report::{caught_up, connector, kafka, replicator, since_start};
        let live = children.live();
        let (connector, replicator) = (connector(self.resource, live), replicator(self.resource, live));
        let reported = since_start(self.resource, live);
        Parts {
            kafka: kafka(self.resource, live),
            caught_up: caught_up(self.resource, &source, &connector, &replicator, reported),
            source,
            connector,
            replicator,
        }
    }
}

/// The tables that the replicator's configuration has, as it was last written.
fn replicated(seen: &[Live]) -> Vec<String> {
    let document = |live: &Live| live.object.pointer(build::DOCUMENT_POINTER)?.as_str().map(str::to_owned);
    let documents = seen.iter().filter(|live| live.kind.kind == "ConfigMap").filter_map(document);
    let values = documents.filter_map(|text| serde_saphyr::from_str::<Value>(&text).ok());
    let tables = values.filter_map(|document| document.pointer("/spec/tables").and_then(Value::as_array).cloned());
    tables.flatten().filter_map(|table| table["name"].as_str().map(str::to_owned)).collect()
}
