//! How one part of a replication stands, and the part that the operator judges itself: the replicator's pods.

use serde_json::Value;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Good,
    /// It is being made, or changed: it comes by itself.
    Working,
    /// It needs somebody.
    Bad,
    /// It was told to rest.
    Resting,
    /// Nobody can say.
    Unknown,
}

/// How one part stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How it stands.
    pub standing: Standing,
    /// One word in `PascalCase`, for programs.
    pub reason: String,
    /// What, where, and what to do.
    pub message: String,
}

impl Part {
    fn new(standing: Standing, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { standing, reason: reason.into(), message: message.into() }
    }

    /// It works.
    pub fn good(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Standing::Good, reason, message)
    }

    /// It comes by itself.
    pub fn working(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Standing::Working, reason, message)
    }

    /// It needs somebody.
    pub fn bad(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Standing::Bad, reason, message)
    }

    /// It was told to rest.
    pub fn resting(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Standing::Resting, reason, message)
    }

    /// Nobody can say.
    pub fn unknown(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Standing::Unknown, reason, message)
    }

    /// The status of a condition that says this.
    pub const fn status(&self) -> &'static str {
        match self.standing {
            Standing::Good => "True",
            Standing::Working | Standing::Bad | Standing::Resting => "False",
            Standing::Unknown => "Unknown",
        }
    }
}

/// The first part that needs somebody, else the first that is not good.
pub fn worst<'a>(parts: impl IntoIterator<Item = &'a Part> + Clone) -> Option<Part> {
    let bad = parts.clone().into_iter().find(|part| part.standing == Standing::Bad);
    bad.or_else(|| parts.into_iter().find(|part| part.standing != Standing::Good)).cloned()
}

/// How the replicator stands, from its `StatefulSet` and pods as they are.
pub(super) fn replicator(stateful_set: Option<&Value>, pods: &[Value]) -> Part {
    let Some(set) = stateful_set else {
        return Part::working("Creating", "the replicator's StatefulSet does not exist yet");
    };
    let number = |path: &str| set.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let want = set.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let (ready, updated) = (number("/status/readyReplicas"), number("/status/updatedReplicas"));
    let current = number("/status/observedGeneration") >= number("/metadata/generation");
    if want == 0 {
        let message = "the tables change hands: the pods that had them end first, then all start";
        return Part::working("PodsEnding", message);
    }
    if let Some(part) = pods.iter().find_map(trouble) {
        return part;
    }
    if !current || updated < want {
        return Part::working(
            "RollingOut",
            format!("{updated} of {want} replicator pods run the current configuration"),
        );
    }
    if ready < want {
        return Part::working("PodsStarting", format!("{ready} of {want} replicator pods are ready"));
    }
    Part::good("PodsReady", format!("{ready} of {want} replicator pods are ready"))
}

/// What keeps a pod from running, if it does not come by itself.
fn trouble(pod: &Value) -> Option<Part> {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
    let list = |path: &str| pod.pointer(path).and_then(Value::as_array).into_iter().flatten();
    unscheduled(name, list("/status/conditions"))
        .or_else(|| list("/status/containerStatuses").find_map(|container| waiting(name, container)))
}

fn unscheduled<'a>(pod: &str, mut conditions: impl Iterator<Item = &'a Value>) -> Option<Part> {
    let condition = conditions.find(|c| c["type"] == "PodScheduled" && c["reason"] == "Unschedulable")?;
    let why = condition["message"].as_str().unwrap_or("no node takes it");
    let advice = "free or add resources, or lower spec.replicator.resources";
    Some(Part::bad("Unschedulable", format!("pod {pod} fits on no node: {why}; {advice}")))
}

/// A container that waits for something that only somebody can change.
fn waiting(pod: &str, container: &Value) -> Option<Part> {
    let waiting = container.pointer("/state/waiting")?;
    let reason = waiting["reason"].as_str()?;
    let why = waiting["message"].as_str().unwrap_or(reason);
    let image = container["image"].as_str().unwrap_or("?");
    let advice = match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => {
            format!("check the image {image} (spec.replicator.image, or the chart's), and that the nodes may pull it")
        }
        "CreateContainerConfigError" => "check that the Secrets of the spec exist and have their keys".to_owned(),
        "CrashLoopBackOff" => format!("see kubectl logs --previous {pod}"),
        _ => return None,
    };
    let last = container.pointer("/lastState/terminated/message").and_then(Value::as_str).map(str::trim);
    let why = last.filter(|text| !text.is_empty()).unwrap_or(why);
    Some(Part::bad(reason, format!("pod {pod} does not start: {why}; {advice}")))
}
