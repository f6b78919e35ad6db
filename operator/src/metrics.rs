//! Prometheus metrics: how long passes take, what fails and why, how the resources are, and what the API server is asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use kube::client::Body;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

type Label = [(&'static str, &'static str); 1];
type Request = [(&'static str, String); 2];

/// Upper bounds in seconds: from a pass that only looks to one that waits for its limit.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// How a resource is, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectState {
    /// Everything works.
    Ready,
    /// Something is being made.
    Progressing,
    /// Something needs somebody.
    Failed,
    /// It rests.
    Suspended,
    /// Somebody told us to leave it alone.
    Paused,
    /// It is being deleted.
    Deleting,
}

impl ObjectState {
    const ALL: [Self; 6] =
        [Self::Ready, Self::Progressing, Self::Failed, Self::Suspended, Self::Paused, Self::Deleting];

    const fn label(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Progressing => "progressing",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
            Self::Paused => "paused",
            Self::Deleting => "deleting",
        }
    }
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    duration: Histogram,
    failures: Family<Label, Counter>,
    objects: Family<Label, Gauge>,
    requests: Family<Request, Counter>,
    leading: Gauge,
    states: Mutex<HashMap<String, ObjectState>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tributary_operator");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of this program", version);
        let r = &mut registry;
        Self {
            duration: add(r, "reconcile_duration_seconds", "Length of a pass", Histogram::new(SECONDS)),
            failures: add(r, "reconcile_failures", "Passes that failed, by reason", Family::default()),
            objects: add(r, "objects", "Resources, by state", Family::default()),
            requests: add(r, "api_requests", "Requests to the API server, by verb and resource", Family::default()),
            leading: add(r, "leading", "1 while this process holds the lease", Gauge::default()),
            states: Mutex::default(),
            registry,
        }
    }
}

impl Metrics {
    /// A pass has ended.
    pub fn reconciled(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }

    /// A pass has failed; reasons are few and fixed.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&[("reason", reason)]).inc();
    }

    /// This process holds the lease, or does not.
    pub fn leading(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// How a resource is; `None` when it is gone.
    pub fn object(&self, key: &str, state: Option<ObjectState>) {
        let Ok(mut states) = self.states.lock() else { return };
        match state {
            Some(state) => states.insert(key.to_owned(), state),
            None => states.remove(key),
        };
    }

    /// Counts a request to the API server.
    pub fn request(&self, request: &http::Request<Body>) {
        let uri = request.uri();
        let resource = resource(uri.path()).to_owned();
        let verb = verb(request.method(), uri).to_owned();
        self.requests.get_or_create(&[("verb", verb), ("resource", resource)]).inc();
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> Result<String, fmt::Error> {
        if let Ok(states) = self.states.lock() {
            for state in ObjectState::ALL {
                let count = states.values().filter(|other| **other == state).count();
                self.objects.get_or_create(&[("state", state.label())]).set(count as i64);
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn verb(method: &http::Method, uri: &http::Uri) -> &'static str {
    let watches = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
    match method.as_str() {
        "GET" if watches => "watch",
        "GET" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "other",
    }
}

/// The plural of a path, with its subresource: `/apis/GROUP/VERSION[/namespaces/NS]/PLURAL[/NAME[/SUB]]`; discovery
/// has none.
fn resource(path: &str) -> &str {
    let version = match path.strip_prefix("/api/") {
        Some(rest) => rest,
        None => path.strip_prefix("/apis/").and_then(|rest| rest.split_once('/')).map_or("", |(_, rest)| rest),
    };
    let Some((_, rest)) = version.split_once('/') else { return "discovery" };
    let namespaced = rest.strip_prefix("namespaces/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let rest = namespaced.unwrap_or(rest);
    match rest.split('/').collect::<Vec<_>>()[..] {
        [_, _, "status"] => "status",
        [plural, ..] => plural,
        [] => "discovery",
    }
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_under_its_verb_and_resource() {
        for (method, uri, verb_, resource_) in [
            ("GET", "/api/v1/namespaces/shop/secrets/db", "get", "secrets"),
            ("GET", "/api/v1/pods?labelSelector=a%3Db&watch=true", "watch", "pods"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/statefulsets/s?force=true", "patch", "statefulsets"),
            ("PATCH", "/apis/tributary.dev/v1alpha1/namespaces/shop/cdcreplications/s/status", "patch", "status"),
            ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events", "create", "events"),
            ("GET", "/apis/kafka.strimzi.io/v1", "get", "discovery"),
            ("DELETE", "/apis/kafka.strimzi.io/v1/namespaces/shop/kafkas/k", "delete", "kafkas"),
        ] {
            let uri: http::Uri = uri.parse().unwrap();
            assert_eq!(verb(&method.parse().unwrap(), &uri), verb_, "{uri}");
            assert_eq!(resource(uri.path()), resource_, "{uri}");
        }
    }

    #[test]
    fn resources_are_counted_by_state_and_no_more_when_they_are_gone() {
        let metrics = Metrics::default();
        metrics.object("shop/a", Some(ObjectState::Progressing));
        metrics.object("shop/a", Some(ObjectState::Ready));
        metrics.object("shop/b", Some(ObjectState::Failed));
        metrics.object("shop/b", None);
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"tributary_operator_objects{state="ready"} 1"#), "{text}");
        assert!(text.contains(r#"tributary_operator_objects{state="progressing"} 0"#), "{text}");
        assert!(text.contains(r#"tributary_operator_objects{state="failed"} 0"#), "{text}");
    }

    #[test]
    fn durations_and_failures_are_there() {
        let metrics = Metrics::default();
        metrics.reconciled(Duration::from_millis(3));
        metrics.failed("Forbidden");
        let text = metrics.text().unwrap();
        assert!(text.contains("tributary_operator_reconcile_duration_seconds_count 1"), "{text}");
        assert!(text.contains(r#"tributary_operator_reconcile_failures_total{reason="Forbidden"} 1"#), "{text}");
    }
}
