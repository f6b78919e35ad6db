//! What reaches the API server, and what happens when it says no. The API server is a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::consume::Budget;
use crate::policy::Policy;

const PATH: &str = "/apis/tributary.dev/v1alpha1/namespaces/shop/cdcreplications/orders";

/// One call as it came in.
#[derive(Clone, Debug)]
struct Call {
    method: String,
    path: String,
    query: String,
    body: Value,
}

/// Answers in the order of `answers`, then always with an object that nobody has written to.
#[derive(Clone, Default)]
struct ApiServer {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl ApiServer {
    fn answering(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, std::io::Error>(server.answer(request).await) }
        });
        Client::new(service, "shop")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        self.calls.lock().unwrap().push(Call {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let answer = self.answers.lock().unwrap().pop_front();
        let (code, answer) = answer.unwrap_or_else(|| (200, written_by(&[])));
        Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap()
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn patches(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.method == "PATCH").collect()
    }
}

/// The resource with these field managers, and when each last wrote.
fn written_by(managers: &[(&str, &str)]) -> Value {
    let managers = managers.iter().map(
        |(manager, time)| json!({ "manager": manager, "operation": "Apply", "subresource": "status", "time": time }),
    );
    json!({
        "apiVersion": "tributary.dev/v1alpha1",
        "kind": "CdcReplication",
        "metadata": { "name": "orders", "namespace": "shop", "managedFields": managers.collect::<Vec<_>>() },
        "spec": {},
    })
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message }))
}

fn reporter(server: &ApiServer, shard: &str) -> Reporter {
    let board = Board::new(Budget::new(1));
    board.table("public.users", "s3://lake/users").stopped(Policy::Stop, "message 4 cannot be decoded");
    let shard = shard.parse().unwrap();
    let (restarts, _) = Restarts::new([]);
    let mut reporter = Reporter::new("shop/orders".parse().unwrap(), shard, board, (restarts, Resyncs::default()));
    reporter.api = Some(StatusApi::new(server.client(), &reporter.resource, shard));
    reporter
}

#[tokio::test]
async fn a_shard_applies_its_own_tables_to_the_status_and_nothing_else() {
    let server = ApiServer::default();
    reporter(&server, "1/3").step(Instant::now()).await;
    let calls = server.calls();
    assert_eq!((calls[0].method.as_str(), calls[0].path.as_str()), ("GET", PATH));
    let patch = &calls[1];
    assert_eq!((patch.method.as_str(), patch.path.as_str()), ("PATCH", format!("{PATH}/status").as_str()));
    assert!(patch.query.contains("fieldManager=tributary-replicator-1") && patch.query.contains("force=true"));
    assert_eq!(
        patch.body,
        json!({
            "apiVersion": "tributary.dev/v1alpha1",
            "kind": "CdcReplication",
            "metadata": { "name": "orders" },
            "status": {
                "tables": [
                    { "name": "public.users", "phase": "Stopped", "message": "message 4 cannot be decoded" },
                ],
            },
        })
    );
    assert_eq!(calls.len(), 2);
}

#[tokio::test]
async fn a_shard_without_tables_takes_back_what_it_said_before() {
    let server = ApiServer::default();
    let mut reporter = reporter(&server, "0/1");
    reporter.board = Board::new(Budget::new(1));
    reporter.step(Instant::now()).await;
    assert!(server.patches()[0].body.get("status").is_none());
}

#[tokio::test]
async fn nothing_is_written_while_nothing_changes() {
    let server = ApiServer::default();
    let mut reporter = reporter(&server, "0/1");
    let start = Instant::now();
    for second in 0..59 {
        reporter.step(start + Duration::from_secs(second)).await;
    }
    assert_eq!(server.calls().len(), 2);
    reporter.board.table("public.users", "").retrying(Policy::TryAgain, "S3 answers 503");
    reporter.step(start + Duration::from_secs(59)).await;
    assert_eq!(server.calls().len(), 3);
    assert_eq!(server.calls()[2].body["status"]["tables"][0]["phase"], "Retrying");
}

#[tokio::test]
async fn what_shards_said_that_are_gone_is_taken_back_first() {
    let (before, later) = ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
    let managers = [
        ("tributary-operator", before),
        ("tributary-replicator-0", before),
        ("tributary-replicator-1", before),
        ("tributary-replicator-2", before),
        ("tributary-replicator-12", before),
        ("tributary-replicator-3", later),
    ];
    let server = ApiServer::answering([(200, written_by(&managers))]);
    let mut reporter = reporter(&server, "0/2");
    reporter.step(Instant::now()).await;
    let patches = server.patches();
    let manager = |call: &Call| {
        let parameters = url::form_urlencoded::parse(call.query.as_bytes());
        parameters.into_owned().find(|(name, _)| name == "fieldManager").unwrap().1
    };
    let managers: Vec<String> = patches.iter().map(manager).collect();
    // 3 writes still: it belongs to a larger number of replicas that is just starting.
    assert_eq!(managers, ["tributary-replicator-12", "tributary-replicator-2", "tributary-replicator-0"]);
    assert!(patches[..2].iter().all(|patch| patch.body.get("status").is_none()));
    assert_eq!(patches[2].body["status"]["tables"][0]["name"], "public.users");
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_is_tried_again_after_a_pause() {
    let cases = [
        (403, "orders is forbidden", "needs a Role with get on cdcreplications and patch on cdcreplications/status"),
        (404, "not found", "there is no CdcReplication shop/orders: apply the resource and its CRD, or correct"),
        (401, "Unauthorized", "restart the pod to get a new one"),
        (422, "phase: Unsupported value", "(422: phase: Unsupported value): the CRD may be of another version"),
        (500, "etcdserver: no leader", "500: etcdserver: no leader"),
    ];
    for (code, message, words) in cases {
        let server = ApiServer::answering([(200, written_by(&[])), failure(code, message)]);
        let mut reporter = reporter(&server, "0/1");
        let start = Instant::now();
        reporter.step(start).await;
        let warned = reporter.warned.clone().unwrap();
        assert!(warned.contains(words), "{warned}");
        reporter.step(start + Duration::from_secs(1)).await;
        assert_eq!(server.calls().len(), 2, "{code} is tried again at once");
        reporter.step(start + Duration::from_secs(3)).await;
        assert_eq!((server.patches().len(), reporter.warned), (2, None), "{code}");
    }
}

#[tokio::test]
async fn an_api_server_that_is_not_there_does_not_stop_anything() {
    let server = ApiServer::default();
    let mut reporter = reporter(&server, "0/1");
    let unreachable = tower::service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    });
    reporter.api = Some(StatusApi::new(Client::new(unreachable, "shop"), &reporter.resource, reporter.shard));
    reporter.step(Instant::now()).await;
    let warned = reporter.warned.unwrap();
    assert!(
        warned.starts_with("the Kubernetes API server cannot be reached") && warned.contains("refused"),
        "{warned}"
    );
}

#[tokio::test]
async fn an_annotation_that_is_new_has_its_tables_started_again() {
    let annotated = |text: &str| {
        let mut resource = written_by(&[]);
        resource["metadata"]["annotations"] = json!({ "tributary.dev/restart": text });
        (200, resource)
    };
    let server = ApiServer::answering([
        (200, written_by(&[])),
        annotated("public.users=1"),
        annotated("public.users=2,public.elsewhere=1"),
    ]);
    let mut reporter = reporter(&server, "0/1");
    let (restarts, mut asked) = Restarts::new(["public.users".to_owned()]);
    reporter.restarts = restarts;
    let start = Instant::now();
    reporter.step(start).await;
    assert!(asked.try_recv().is_err(), "it was there when the process started");
    reporter.step(start + Duration::from_mins(1)).await;
    assert_eq!(asked.try_recv().unwrap(), "public.users");
    assert!(asked.try_recv().is_err(), "a table of another shard");
}

#[tokio::test]
async fn an_annotation_that_wishes_a_copy_anew_has_its_table_opened_again_once() {
    let mut annotated = written_by(&[]);
    annotated["metadata"]["annotations"] = json!({ "tributary.dev/resync": "public.users, public.elsewhere" });
    let steps = std::iter::repeat_n((200, annotated), 3);
    let server = ApiServer::answering(std::iter::once((200, written_by(&[]))).chain(steps));
    let mut reporter = reporter(&server, "0/1");
    let (restarts, mut asked) = Restarts::new(["public.users".to_owned()]);
    reporter.restarts = restarts;
    assert_eq!(reporter.resyncs.wish("public.users", None), None);
    let start = Instant::now();
    for minute in 0..3 {
        reporter.step(start + Duration::from_mins(minute)).await;
    }
    assert_eq!(asked.try_recv().unwrap(), "public.users");
    assert!(asked.try_recv().is_err());
    assert_eq!(reporter.resyncs.wish("public.users", None).as_deref(), Some(""));
}

#[tokio::test]
async fn a_refusal_of_a_copy_anew_is_not_told_any_more_when_the_annotation_is_gone() {
    let mut annotated = written_by(&[]);
    annotated["metadata"]["annotations"] = json!({ "tributary.dev/resync": "public.users" });
    let server = ApiServer::answering([(200, written_by(&[])), (200, annotated), (200, written_by(&[]))]);
    let mut reporter = reporter(&server, "0/1");
    let users = reporter.board.table("public.users", "u");
    // As the table's task does.
    users.resync_refused(true);
    let start = Instant::now();
    reporter.step(start).await;
    assert!(users.state().warnings[0].contains("spec.replicator.copy.connections is 0"));
    reporter.step(start + Duration::from_mins(1)).await;
    assert_eq!(users.state().warnings, [""; 0]);
}

#[test]
fn the_name_of_the_resource_has_a_namespace() {
    assert_eq!("shop/orders".parse::<ResourceName>().unwrap().to_string(), "shop/orders");
    for text in ["", "orders", "/orders", "shop/", "a/b/c"] {
        let error = text.parse::<ResourceName>().unwrap_err().to_string();
        assert!(error.contains("NAMESPACE/NAME"), "{error}");
    }
}
