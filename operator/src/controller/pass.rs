//! One pass over one resource: observe, plan, build, apply, report.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use tributary_crds::CdcReplication;

use super::{Context, Memory, is_paused};
use crate::apply::{Applied, Live, Target};
use crate::build::{self, Children, Object};
use crate::capture::capture;
use crate::error::PassError;
use crate::finalizer::{CleanUp, CleanUpStep, Duty, FINALIZER, Progress, duty};
use crate::observe::judged;
use crate::plan::{self, Plan};
use crate::report::{Notice, Part, Parts, Standing};

/// Everything is looked at again after this time, whatever the watches say.
const RESYNC: Duration = Duration::from_mins(10);
/// Secrets are not watched: a pass this often sees that one has changed.
const SECRETS: Duration = Duration::from_mins(1);
/// An added table waits for the connector, which shows only in the database and in a topic.
const ARRIVING: Duration = Duration::from_secs(5);

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
        let capture = capture(self.resource, self.captured(memory).as_deref(), &seen);
        let plan = self.plan(memory).await?;
        let (plan, unanswered) = self.with_arrivals(memory, plan, &capture, &seen).await?;
        let pods = seen.iter().find(|live| live.kind.kind == "StatefulSet");
        let plan = plan.after_division(pods.map(|live| &live.object));
        let source = self.source(memory, false).await;
        let (objects, held_back) = self.desired(&plan, &source, unanswered.is_some(), &seen);
        let applied = self.target(&seen).apply(&objects, &held_back, &mut memory.futile).await?;
        // Only now: what was applied may be what brings Kafka back.
        if let Some(error) = unanswered {
            return Err(error);
        }
        let arriving = !capture.arriving.is_empty();
        self.copy_added(memory, &plan, capture, applied.live()).await?;
        self.report(memory, &applied, source, None).await?;
        Ok(Action::requeue(self.again_in(memory, arriving)))
    }

    async fn plan(&self, memory: &mut Memory) -> Result<Plan, PassError> {
        let names = plan::secret_names(self.resource);
        memory.secrets.look(&self.context.client, self.namespace(), &names, Timestamp::now()).await?;
        let pod_monitors = build::KINDS.iter().any(|kind| kind.optional && self.context.stores.serves(kind));
        let defaults = plan::Defaults { pod_monitors, ..self.context.defaults.clone() };
        Ok(Plan::of(self.resource, &defaults, &memory.secrets.versions())?)
    }

    /// How the source stands. It is looked at while the resource is suspended too: its slot grows just then.
    pub(super) async fn source(&self, memory: &mut Memory, fresh: bool) -> Part {
        let Some(postgres) = &self.resource.spec.source.postgres else {
            return Part::bad("NoSource", "spec.source names no database: set spec.source.postgres");
        };
        let version = memory.secrets.version_of(&postgres.credentials.secret_name).to_owned();
        judged(memory.source.look(&self.context.client, self.resource, postgres, &version, fresh).await)
    }

    /// How the source stood when it was last asked.
    pub(super) fn source_as_known(memory: &Memory) -> Part {
        let unknown = || Part::unknown("NotChecked", "the source was not looked at yet");
        memory.source.findings().map_or_else(unknown, judged)
    }

    /// What is to be applied, of the kinds that are served, and what is held back: the connector, as long as Kafka does not say
    /// how its first copy goes, and one that does not run yet and is to, until the source is ready.
    fn desired(&self, plan: &Plan, source: &Part, unanswered: bool, seen: &[Live]) -> (Vec<Object>, Vec<Object>) {
        let starts = |live: &&Live| live.kind.kind == "KafkaConnector" && live.object["spec"]["state"] != "stopped";
        let cannot_start = source.standing == Standing::Bad && !seen.iter().any(|live| starts(&live));
        let holds_back = unanswered || (cannot_start && !plan.is_suspended());
        let objects = build::children(plan).objects().into_iter();
        let served = objects.filter(|object| self.context.stores.serves(object.kind));
        served.partition(|object| !holds_back || object.kind.kind != "KafkaConnector")
    }

    fn again_in(&self, memory: &Memory, arriving: bool) -> Duration {
        if arriving && !self.resource.spec.suspend {
            return ARRIVING;
        }
        // Not less than a second, or a clock's rounding would make two passes of one.
        memory.source.due_in(Timestamp::now()).clamp(Duration::from_secs(1), SECRETS)
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
            source,
            kafka: kafka(self.resource, live),
            caught_up: caught_up(self.resource, &connector, &replicator, reported),
            connector,
            replicator,
        }
    }
}
