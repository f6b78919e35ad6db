//! Passes against an API server that answers as told and keeps what it was asked.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::Client;
use kube::api::DynamicObject;
use kube::client::Body;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use serde_json::{Value, json};

mod deletion;

use super::*;
use crate::plan::Defaults;
use crate::watch::Stores;

type Reply = dyn Fn(&Method, &str, &Value) -> Option<(u16, Value)> + Send + Sync;

/// What was asked: method, path, body.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(Method, String, Value)>>>);

impl Asked {
    fn writes(&self) -> Vec<String> {
        let asked = self.0.lock().unwrap();
        let writes = asked.iter().filter(|(method, path, _)| *method != Method::GET && !path.ends_with("/events"));
        writes.map(|(method, path, _)| format!("{method} {}", path.trim_start_matches("/apis/"))).collect()
    }

    fn bodies(&self, method: &Method, part: &str) -> Vec<Value> {
        let asked = self.0.lock().unwrap();
        let wanted = asked.iter().filter(|(other, path, _)| other == method && path.contains(part));
        wanted.map(|(_, _, body)| body.clone()).collect()
    }

    fn events(&self) -> Vec<String> {
        let posted = self.bodies(&Method::POST, "/events");
        posted
            .iter()
            .map(|event| format!("{} {}", event["type"].as_str().unwrap(), event["reason"].as_str().unwrap()))
            .collect()
    }

    /// The condition as it was last written.
    fn condition(&self, type_: &str) -> Value {
        let written = self.bodies(&Method::PATCH, "/status");
        let conditions =
            written.last().expect("a status is written")["status"]["conditions"].as_array().unwrap().clone();
        conditions.into_iter().find(|condition| condition["type"] == type_).unwrap()
    }
}

fn context(
    objects: &[Value],
    reply: impl Fn(&Method, &str, &Value) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> (Arc<Context>, Asked) {
    let asked = Asked::default();
    let (log, reply): (Asked, Arc<Reply>) = (asked.clone(), Arc::new(reply));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (log, reply) = (log.clone(), reply.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await?).unwrap_or(Value::Null);
            let path = parts.uri.path().to_owned();
            log.0.lock().unwrap().push((parts.method.clone(), path.clone(), body.clone()));
            let Some((code, answer)) = reply(&parts.method, &path, &body) else { std::future::pending().await };
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok::<_, kube::Error>(Response::builder().status(code).body(answer).unwrap())
        }
    });
    let client = Client::new(service, "sales");
    let reporter = Reporter { controller: "tributary-operator".into(), instance: Some("operator-0".into()) };
    let recorder = Recorder::new(client.clone(), reporter);
    let objects: Vec<DynamicObject> =
        objects.iter().map(|object| serde_json::from_value(object.clone()).unwrap()).collect();
    let defaults = Defaults {
        replicator_image: "tributary/replicator:1".into(),
        connect_image: Some("connect:1".into()),
        kafka_version: "4.3.1".into(),
        pod_monitors: false,
    };
    (Arc::new(Context::new(client, Stores::holding(&objects), defaults, Arc::default(), recorder)), asked)
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "no"}))
}

/// An API server at which everything works: Secrets are there, and what is written is stored.
#[allow(clippy::unnecessary_wraps, reason = "a reply is an option: with none, the answer never comes")]
fn works(method: &Method, path: &str, body: &Value) -> Option<(u16, Value)> {
    let name = path.rsplit('/').next().unwrap();
    Some(match method.as_str() {
        "GET" if path.contains("/secrets/") => {
            let keys = ["username", "password", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
            let data: serde_json::Map<String, Value> =
                keys.iter().map(|key| ((*key).into(), json!("c2VjcmV0"))).collect();
            (
                200,
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "resourceVersion": "7"}, "data": data}),
            )
        }
        "GET" => failure(404, "NotFound"),
        "PATCH" if path.ends_with("/status") => (200, with_status(&body["status"])),
        "PATCH" => (200, stored(body)),
        "DELETE" => (200, json!({"kind": "Status", "status": "Success"})),
        _ => (201, body.clone()),
    })
}

/// The object as the API server keeps it.
fn stored(body: &Value) -> Value {
    let mut object = body.clone();
    object["metadata"]["uid"] = json!("child");
    object["metadata"]["resourceVersion"] = json!("1");
    object["metadata"]["namespace"] = json!("sales");
    object["metadata"]["generation"] = json!(1);
    object
}

fn resource() -> Value {
    json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": {"name": "shop", "namespace": "sales", "uid": "u-1", "generation": 3, "resourceVersion": "9"},
        "spec": {
            // Nobody listens there, and that is known at once.
            "source": {"postgres": {"host": "127.0.0.1", "port": 1, "database": "shop", "credentials": {"secretName": "db"}}},
            "tables": [{"name": "public.users"}],
            "kafka": {"strimzi": {"replicas": 1}},
            "destination": {"uri": "s3://lake/shop", "s3": {"credentials": {"secretName": "lake"}}},
        },
    })
}

fn child(api_version: &str, kind: &str) -> Value {
    let labels = json!({"app.kubernetes.io/name": "tributary", "app.kubernetes.io/instance": "shop"});
    json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": "shop", "namespace": "sales", "uid": "child", "labels": labels}})
}

fn with_status(status: &Value) -> Value {
    let mut resource = resource();
    resource["status"] = status.clone();
    resource
}

fn changed(change: impl Fn(&mut Value)) -> Arc<Guarded> {
    let mut resource = resource();
    change(&mut resource);
    object(&resource)
}

fn object(resource: &Value) -> Arc<Guarded> {
    Arc::new(serde_json::from_value::<DeserializeGuard<CdcReplication>>(resource.clone()).unwrap())
}

/// The kinds of some writes, in their order.
fn kinds(writes: &[String]) -> Vec<&str> {
    let plural = |write: &str| write.split('/').rev().nth(1).unwrap_or_default().to_owned();
    let mut kinds: Vec<&str> = Vec::new();
    for write in writes {
        let plural = plural(write);
        let kind = write.split('/').find(|part| **part == plural).unwrap();
        if kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

#[tokio::test]
async fn a_pass_applies_the_children_in_their_order_and_then_the_status() {
    let (context, asked) = context(&[], works);
    reconcile(changed(|resource| resource["spec"]["suspend"] = json!(true)), context).await.unwrap();
    let writes = asked.writes();
    assert_eq!(
        kinds(&writes[..writes.len() - 1]),
        [
            "serviceaccounts",
            "roles",
            "rolebindings",
            "kafkanodepools",
            "kafkas",
            "kafkatopics",
            "kafkaconnects",
            "kafkaconnectors",
            "configmaps",
            "services",
            "poddisruptionbudgets",
            "statefulsets"
        ]
    );
    assert!(writes.last().unwrap().ends_with("cdcreplications/shop/status"), "{writes:?}");
    assert_eq!(asked.condition("Ready")["reason"], "Suspended");
    assert_eq!(asked.condition("Ready")["observedGeneration"], 3);
}

#[tokio::test]
async fn a_pass_that_changes_nothing_writes_nothing() {
    let suspended = |resource: &mut Value| resource["spec"]["suspend"] = json!(true);
    let (first, asked) = context(&[], works);
    reconcile(changed(suspended), first).await.unwrap();
    let children: Vec<Value> = asked
        .0
        .lock()
        .unwrap()
        .iter()
        .filter(|(method, path, _)| *method == Method::PATCH && !path.ends_with("/status"))
        .map(|(_, _, body)| stored(body))
        .collect();
    let patch = |asked: &Asked| asked.bodies(&Method::PATCH, "/status").pop().unwrap()["status"].clone();
    // The children exist now, which the status says once more.
    let (second, again) = context(&children, works);
    let status = patch(&asked);
    reconcile(
        changed(|resource| {
            suspended(resource);
            resource["status"] = status.clone();
        }),
        second.clone(),
    )
    .await
    .unwrap();
    assert!(again.writes().iter().all(|write| write.ends_with("/status")), "{:?}", again.writes());
    let status = if again.writes().is_empty() { status } else { patch(&again) };
    let before = again.0.lock().unwrap().len();
    reconcile(
        changed(|resource| {
            suspended(resource);
            resource["status"] = status.clone();
        }),
        second,
    )
    .await
    .unwrap();
    assert_eq!(again.0.lock().unwrap()[before..], [], "not even the Secrets are asked for again");
}

#[tokio::test]
async fn an_edited_child_is_written_back_and_an_orphan_is_deleted() {
    let suspended = |resource: &mut Value| resource["spec"]["suspend"] = json!(true);
    let (first, asked) = context(&[], works);
    reconcile(changed(suspended), first).await.unwrap();
    let mut children: Vec<Value> = ["/configmaps/", "/serviceaccounts/", "/kafkatopics/"]
        .iter()
        .flat_map(|part| asked.bodies(&Method::PATCH, part))
        .map(|body| stored(&body))
        .collect();
    children[0]["data"]["replication.yaml"] = json!("edited");
    let mut orphan = children[1].clone();
    orphan["metadata"]["name"] = json!("shop-old");
    let mut foreign = orphan.clone();
    foreign["metadata"]["name"] = json!("shop-of-another");
    foreign["metadata"]["ownerReferences"][0]["uid"] = json!("u-2");
    let mut kept = children[2].clone();
    kept["metadata"]["name"] = json!("removed-table");
    children.extend([orphan, foreign, kept]);
    let (second, asked) = context(&children, works);
    reconcile(changed(suspended), second).await.unwrap();
    assert_eq!(asked.bodies(&Method::PATCH, "/configmaps/").len(), 1);
    assert_eq!(asked.bodies(&Method::PATCH, "/serviceaccounts/").len(), 0);
    let deleted: Vec<String> = asked.writes().into_iter().filter(|write| write.starts_with("DELETE")).collect();
    assert_eq!(deleted.len(), 1, "{deleted:?}");
    assert!(deleted[0].ends_with("/serviceaccounts/shop-old"));
    assert_eq!(asked.bodies(&Method::DELETE, "shop-old")[0]["preconditions"]["uid"], "child");
}

#[tokio::test]
async fn a_connector_that_was_stopped_stays_while_the_source_cannot_be_reached() {
    let (first, asked) = context(&[], works);
    reconcile(changed(|resource| resource["spec"]["suspend"] = json!(true)), first).await.unwrap();
    let children = asked.bodies(&Method::PATCH, "/kafkaconnectors/").iter().map(stored).collect::<Vec<_>>();
    assert_eq!(children[0]["spec"]["state"], "stopped");
    let (second, asked) = context(&children, works);
    reconcile(object(&resource()), second).await.unwrap();
    assert_eq!(asked.condition("SourceReady")["reason"], "SourceUnreachable");
    let writes = asked.writes();
    assert!(!writes.iter().any(|write| write.contains("/kafkaconnectors/")), "{writes:?}");
}

#[tokio::test]
async fn the_source_is_looked_at_while_the_resource_is_suspended() {
    let (context, asked) = context(&[], works);
    let action = reconcile(changed(|resource| resource["spec"]["suspend"] = json!(true)), context).await.unwrap();
    assert_eq!(asked.condition("SourceReady")["reason"], "SourceUnreachable");
    assert_eq!(asked.condition("Ready")["reason"], "Suspended");
    assert_ne!(action, Action::requeue(Duration::from_mins(10)), "and soon again");
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_taken_over() {
    let (context, asked) = context(&[], |method, path, body| {
        if method == Method::GET && path.ends_with("/kafkas/shop") {
            return Some((
                200,
                json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "shop"}}),
            ));
        }
        works(method, path, body)
    });
    let error = reconcile(changed(|resource| resource["spec"]["suspend"] = json!(true)), context).await.unwrap_err();
    assert_eq!(error.reason(), "NameTaken");
    assert!(asked.writes().iter().all(|write| !write.contains("/kafkas/")));
    assert_eq!(asked.condition("Ready")["reason"], "NameTaken");
}

#[tokio::test]
async fn each_answer_of_the_api_server_has_its_reason_its_event_and_its_wait() {
    for (code, reason, seconds) in [
        (403, "Forbidden", 30),
        (404, "NotFound", 5),
        (409, "Conflict", 1),
        (422, "Invalid", 30),
        (429, "TooManyRequests", 5),
        (500, "ApiServerError", 2),
    ] {
        let (context, asked) = context(&[], move |method, path, body| {
            if method == Method::PATCH && path.contains("/serviceaccounts/") {
                return Some(failure(code, reason));
            }
            works(method, path, body)
        });
        let object = changed(|resource| resource["spec"]["suspend"] = json!(true));
        let error = reconcile(object.clone(), context.clone()).await.unwrap_err();
        assert_eq!(error.reason(), reason);
        let ready = asked.condition("Ready");
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(reason)));
        assert!(ready["message"].as_str().unwrap().contains("ServiceAccount shop-replicator"), "{ready}");
        assert!(asked.events().contains(&format!("Warning {reason}")), "{:?}", asked.events());
        let first = error_policy(object.clone(), &error, context.clone());
        assert_eq!(first, Action::requeue(Duration::from_secs(seconds)));
        let calls = asked.0.lock().unwrap().len();
        reconcile(object, context).await.unwrap();
        assert_eq!(asked.0.lock().unwrap().len(), calls, "an event does not shorten the wait");
    }
}

#[tokio::test]
async fn a_pass_that_hangs_is_abandoned_and_said() {
    let (mut context, asked) = context(&[], |method, path, body| {
        if method == Method::PATCH && path.contains("/roles/") { None } else { works(method, path, body) }
    });
    Arc::get_mut(&mut context).unwrap().limit = Duration::from_millis(100);
    let object = changed(|resource| resource["spec"]["suspend"] = json!(true));
    let error = reconcile(object, context).await.unwrap_err();
    assert_eq!(error.reason(), "ReconcileTimeout");
    assert_eq!(asked.condition("Ready")["reason"], "ReconcileTimeout");
}

#[tokio::test]
async fn no_new_connector_is_made_while_the_source_is_not_ready() {
    let (context, asked) = context(&[], works);
    reconcile(changed(|_| {}), context).await.unwrap();
    let writes = asked.writes();
    assert!(writes.iter().all(|write| !write.contains("/kafkaconnectors/")), "{writes:?}");
    assert!(writes.iter().any(|write| write.contains("/kafkaconnects/")));
    let source = asked.condition("SourceReady");
    assert_eq!(source["status"], "False");
    assert!(source["message"].as_str().unwrap().contains("127.0.0.1:1"), "{source}");
    assert_eq!(asked.events().iter().filter(|event| event.starts_with("Warning")).count(), 1, "{:?}", asked.events());
}

#[tokio::test]
async fn a_missing_secret_is_named_and_nothing_is_touched() {
    let (context, asked) = context(&[], |method, path, body| {
        if path.ends_with("/secrets/db") { Some(failure(404, "NotFound")) } else { works(method, path, body) }
    });
    reconcile(changed(|_| {}), context).await.unwrap_err();
    assert_eq!(asked.writes().len(), 1, "{:?}", asked.writes());
    let message = asked.condition("Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("spec.source.postgres.credentials") && message.contains("db"), "{message}");
}

#[tokio::test]
async fn a_paused_resource_is_left_alone_and_says_so() {
    let (context, asked) = context(&[], works);
    reconcile(changed(|resource| resource["metadata"]["annotations"] = json!({ PAUSE: "true" })), context)
        .await
        .unwrap();
    assert_eq!(asked.writes().len(), 1);
    assert_eq!(asked.condition("ReconciliationPaused")["status"], "True");
}
