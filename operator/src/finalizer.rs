//! The finalizer: there only while `deletionPolicy` is Delete, and what happens, in which order, when a resource with it
//! is deleted. Pure: the clock and what is left come in.

mod cleanup;
mod offsets;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use tributary_crds::{CdcReplication, DeletionPolicy, topic};

pub use cleanup::{CleanUp, CleanUpStep};

/// The finalizer of a resource whose slot, publication and topics are dropped with it.
pub const FINALIZER: &str = "tributary.dev/cleanup";

/// What to do about the finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It is as it should be.
    Nothing,
    /// The resource must not go before what it has outside of the cluster.
    Add,
    /// Nothing outside of the cluster is dropped.
    Remove,
    /// The resource is being deleted, and waits for us.
    CleanUp,
}

/// What to do, by what the spec says, whether the finalizer is there, and whether the resource is being deleted.
pub const fn duty(policy: DeletionPolicy, present: bool, deleting: bool) -> Duty {
    match (policy, present, deleting) {
        (DeletionPolicy::Delete, true, true) => Duty::CleanUp,
        (DeletionPolicy::Delete, false, false) => Duty::Add,
        (DeletionPolicy::Retain, true, _) => Duty::Remove,
        (DeletionPolicy::Delete, true, false)
        | (DeletionPolicy::Delete, false, true)
        | (DeletionPolicy::Retain, false, _) => Duty::Nothing,
    }
}

/// Something that could not be removed in time, and the command that removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What is left, and why.
    pub what: String,
    /// The command that removes it.
    pub command: String,
}

/// How far the clean-up of one resource is. Kept in memory only: each step may be done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When this process began it. Not when the deletion was asked for: the operator may have been away.
    since: Timestamp,
    done: Vec<Step>,
    /// Strimzi was asked to forget the connector's positions.
    reset_asked: bool,
    /// What was given up.
    pub left: Vec<Left>,
}

/// Objects and topics that are still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is found by itself, and any of them can be left")]
pub struct Remains {
    /// The connector runs in a Kafka Connect that is not ours, which keeps its positions.
    pub shared_connect: bool,
    /// What reads and writes: connector, Connect, replicator.
    pub running: bool,
    /// `KafkaTopics`.
    pub topics: bool,
    /// Kafka, its node pool and users.
    pub cluster: bool,
    /// The topics are in a Kafka that is not ours.
    pub external: bool,
}

/// The next step of a clean-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Stop the connector and have its positions forgotten by a Kafka Connect that stays: a resource of the same name would go on
    /// from them, without a first copy, and with a slot that begins later.
    Offsets,
    /// Delete connector, Connect and replicator, and wait until they are gone: a slot that is read cannot be dropped.
    Stop,
    /// Drop slot and publication.
    Source,
    /// Delete the `KafkaTopics` and wait until they are gone: without their Kafka their finalizers would never go.
    Topics,
    /// Take the `KafkaTopics`' finalizers away, because nobody else does; the Kafka goes with all that is in it.
    FreeTopics,
    /// Delete the topics of a Kafka that is not ours.
    ExternalTopics,
    /// Delete the Kafka that was made for the resource.
    Cluster,
    /// Nothing is left, or what is left is given up: let the resource go.
    LetGo,
}

/// Until when each step is tried, since the beginning.
const LIMITS: [(Step, Duration); 6] = [
    (Step::Offsets, Duration::from_mins(1)),
    (Step::Stop, Duration::from_mins(2)),
    (Step::Source, Duration::from_mins(4)),
    (Step::Topics, Duration::from_mins(6)),
    (Step::ExternalTopics, Duration::from_mins(6)),
    (Step::Cluster, Duration::from_mins(8)),
];

impl Progress {
    /// Begins now.
    pub const fn new(now: Timestamp) -> Self {
        Self { since: now, done: Vec::new(), reset_asked: false, left: Vec::new() }
    }

    /// The next step.
    pub fn next(&self, remains: Remains, now: Timestamp) -> Step {
        let in_time = |step| !self.is_over(step, now);
        if remains.shared_connect && !self.is_done(Step::Offsets) {
            return Step::Offsets;
        }
        if remains.running && in_time(Step::Stop) {
            return Step::Stop;
        }
        if !self.is_done(Step::Source) {
            return Step::Source;
        }
        if remains.topics && in_time(Step::Topics) {
            return Step::Topics;
        }
        if remains.topics && !self.is_done(Step::FreeTopics) {
            return Step::FreeTopics;
        }
        if remains.external && !self.is_done(Step::ExternalTopics) {
            return Step::ExternalTopics;
        }
        if remains.cluster && in_time(Step::Cluster) {
            return Step::Cluster;
        }
        Step::LetGo
    }

    /// Whether a step has had its time.
    pub fn is_over(&self, step: Step, now: Timestamp) -> bool {
        let limit = LIMITS.into_iter().find(|(other, _)| *other == step).map(|(_, limit)| limit);
        limit.is_some_and(|limit| now.duration_since(self.since).as_secs() >= limit.as_secs() as i64)
    }

    fn is_done(&self, step: Step) -> bool {
        self.done.contains(&step)
    }

    /// A step is done, and does not come again. Of objects that are deleted it is seen that they are gone.
    pub fn done(&mut self, step: Step) {
        self.done.push(step);
    }

    /// A step is given up.
    pub fn give_up(&mut self, step: Step, left: Left) {
        self.left.push(left);
        self.done(step);
    }
}

/// What stays of a resource that was deleted with the policy Retain, and how it is removed.
pub fn kept(resource: &CdcReplication) -> String {
    let namespace = topic::namespace(resource);
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let kafka = if resource.spec.kafka.external.is_some() {
        format!("its topics ({})", cleanup::delete_topics(resource))
    } else {
        format!("its Kafka ({})", cleanup::delete_objects(&namespace, name))
    };
    let slot = cleanup::drop_slot(resource);
    format!(
        "deletionPolicy is Retain: a resource of this name goes on where this one ended. Until then Postgres keeps its log for the slot. To remove what stays: slot and publication ({slot}); {kafka}"
    )
}
