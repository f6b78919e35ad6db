//! What is written here compared with what Strimzi 1.2.0 wrote in the same situation (`recorded/`), times aside.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::strimzi::auto_restart::AutoRestart;
use crate::strimzi::configuration::Settings;
use crate::strimzi::connector_operator::not_stopped;
use crate::strimzi::kafka::{self, Layout};
use crate::strimzi::rest::RestError;
use crate::strimzi::topics::{self, Observed};
use crate::strimzi::{connectors, worker};

fn recorded(situation: &str) -> Resource {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/strimzi/status/recorded");
    let text = std::fs::read_to_string(folder.join(format!("{situation}.yaml"))).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

#[track_caller]
fn assert_recorded(resource: &Resource, status: &Value) {
    let (live, new) = (without_times(resource.at("/status")), without_times(status));
    assert_eq!(serde_json::to_string_pretty(&live).unwrap(), serde_json::to_string_pretty(&new).unwrap());
}

fn refusal(resource: &Resource) -> Refusal {
    let condition = resource.at("/status/conditions/0");
    let reason = condition["reason"].as_str().unwrap().to_owned();
    Refusal::new(Box::leak(reason.into_boxed_str()), condition["message"].as_str().unwrap())
}

#[test]
fn a_kafka_is_first_being_deployed_and_then_ready_with_its_listeners() {
    assert_recorded(&recorded("kafka-creating"), &kafka_creating());
    for situation in ["kafka-ready", "kafka-forbidden-config-key"] {
        let (kafka, pool) = (recorded(situation), recorded("kafkanodepool-ready"));
        let layout = Layout::of(&kafka, &[&pool]).unwrap();
        let cluster_id = kafka.text("/status/clusterId").unwrap();
        let observed = KafkaObserved { layout: &layout, cluster_id, authority: None };
        assert_recorded(&kafka, &kafka_ready(&kafka, &observed));
        assert_recorded(&pool, &super::pool(&kafka, &pool, &layout.pools[0], cluster_id));
        assert!(!layout.settings.contains_key("super.users"));
    }
}

#[test]
fn a_kafka_that_cannot_be_is_refused_in_strimzis_words() {
    let pool = recorded("kafkanodepool-ready");
    let only_broker = recorded("kafkanodepool-no-controller");
    let cases: [(&str, Vec<&Resource>); 4] = [
        ("kafka-no-nodepool", vec![]),
        ("kafka-no-controller", vec![&only_broker]),
        ("kafka-unsupported-version", vec![&pool]),
        ("kafka-invalid-replication-config", vec![&pool]),
    ];
    for (situation, pools) in cases {
        let kafka = recorded(situation);
        let refusal = Layout::of(&kafka, &pools).unwrap_err();
        assert_recorded(&kafka, &kafka_failed(&kafka, &refusal));
    }
    let paused = recorded("kafka-reconciliation-paused");
    assert_recorded(&paused, &kafka_paused(&paused));
}

fn plugins() -> Value {
    json!([{"class": "io.debezium.connector.postgresql.PostgresConnector", "type": "source", "version": "3.7.0.Final"}])
}

#[test]
fn a_connect_has_an_address_and_plugins_only_with_a_worker_and_the_annotation() {
    let cases = [
        ("kafkaconnect-ready", Some(plugins())),
        ("kafkaconnect-without-use-connector-resources", None),
        ("kafkaconnect-zero-replicas", None),
    ];
    for (situation, plugins) in cases {
        let connect = recorded(situation);
        let replicas = worker::replicas(&connect);
        assert_recorded(&connect, &connect_ready(&connect, &ConnectObserved { plugins, replicas }));
    }
}

#[test]
fn a_connect_that_fails_keeps_what_was_seen_of_its_worker() {
    let old = recorded("kafkaconnect-unsupported-version");
    let refused = worker::settings(&old, Settings::new()).unwrap_err();
    assert_recorded(&old, &connect_failed(&old, None, &refused));

    let hit = recorded("kafkaconnect-notready-because-connector-list-value");
    let wrong = connectors::settings(&recorded("kafkaconnector-list-value")).unwrap_err();
    let observed = ConnectObserved { plugins: Some(plugins()), replicas: 1 };
    assert_recorded(&hit, &connect_failed(&hit, Some(&observed), &wrong));

    let late = recorded("kafkaconnect-image-pull-timeout");
    let observed = ConnectObserved { plugins: None, replicas: 1 };
    assert_recorded(&late, &connect_failed(&late, Some(&observed), &refusal(&late)));
    for situation in ["kafkaconnect-reconciliation-paused", "kafkaconnect-reconciliation-paused-never-reconciled"] {
        let connect = recorded(situation);
        assert_recorded(&connect, &connect_paused(&connect));
    }
}

fn report(connector: &Resource) -> ConnectorReport {
    let topics = connector.at("/status/topics").as_array().into_iter().flatten();
    ConnectorReport {
        status: connector.at("/status/connectorStatus").clone(),
        topics: topics.map(|topic| topic.as_str().unwrap().to_owned()).collect(),
        auto_restart: AutoRestart::recorded(connector),
        warnings: vec![],
    }
}

#[test]
fn a_connector_is_ready_in_every_state_but_failed() {
    let situations = [
        "first-status",
        "running",
        "state-paused",
        "state-stopped",
        "state-running-2-no-tasks",
        "config-changed-1-unassigned",
        "tasksmax-3",
        "task-failed",
        "task-failed-1-restarting",
        "task-failed-autorestart1",
        "task-recovered",
    ];
    for situation in situations {
        let connector = recorded(&format!("kafkaconnector-{situation}"));
        assert_recorded(&connector, &connector_reported(&connector, &report(&connector)));
    }
    let mut warned = recorded("kafkaconnector-restart-task-bad-id");
    warned.data["status"]["connectorStatus"]["connector"]["state"] = "FAILED".into();
    let failed = connector_reported(&warned, &report(&warned));
    assert_eq!(failed["conditions"][0]["type"], "NotReady");
}

#[test]
fn a_request_that_fails_is_a_warning_beside_ready() {
    let task = recorded("kafkaconnector-restart-task-bad-id");
    let message = task.at("/status/conditions/1/message").as_str().unwrap().to_owned();
    let reset = recorded("kafkaconnector-offsets-reset-while-running");
    for (connector, warning) in [(task, Refusal::new("RestartConnectorTask", message)), (reset, not_stopped())] {
        let status = connector_reported(&connector, &ConnectorReport { warnings: vec![warning], ..report(&connector) });
        assert_recorded(&connector, &status);
    }
}

#[test]
fn a_connector_that_connect_refuses_loses_all_that_was_known_of_it() {
    let situations = [
        "no-such-connect",
        "no-cluster-label",
        "connect-not-annotated",
        "connect-zero-replicas",
        "wrong-password",
        "secret-missing",
        "unknown-class",
        "invalid-update-of-running",
    ];
    for situation in situations {
        let connector = recorded(&format!("kafkaconnector-{situation}"));
        assert_recorded(&connector, &connector_failed(&connector, &refusal(&connector)));
    }
    let paused = recorded("kafkaconnector-reconciliation-paused");
    assert_recorded(&paused, &connector_paused(&paused));
}

#[test]
fn an_error_of_connect_is_told_as_strimzis_exception() {
    let expected = refusal(&recorded("kafkaconnector-secret-missing"));
    let error = RestError::Refused {
        method: reqwest::Method::POST,
        path: "/connectors".to_owned(),
        code: 500,
        message: "Failed to retrieve Secret pg-none from Kubernetes namespace lake".to_owned(),
    };
    assert_eq!(error.refusal().unwrap(), expected);
}

#[test]
fn a_topic_is_ready_with_its_id() {
    for situation in ["kafkatopic-ready", "kafkatopic-defaults"] {
        let topic = recorded(situation);
        let id = topic.text("/status/topicId").unwrap();
        assert_recorded(&topic, &topic_ready(&topic, &topics::name(&topic), id));
    }
    let unmanaged = recorded("kafkatopic-unmanaged");
    assert!(!topics::is_managed(&unmanaged));
    assert_recorded(&unmanaged, &topic_unmanaged(&unmanaged));
    let paused = recorded("kafkatopic-reconciliation-paused");
    assert_recorded(&paused, &topic_paused(&paused, &topics::name(&paused)));
}

#[test]
fn a_topic_that_cannot_be_as_its_resource_says_is_not_ready() {
    let observed = Observed { partitions: 4, replicas: 1, settings: Settings::new() };
    for situation in ["kafkatopic-partitions-decrease", "kafkatopic-replicas-change"] {
        let topic = recorded(situation);
        let refusal = topics::changes(&topic, Some(&observed)).unwrap_err();
        assert_recorded(&topic, &topic_failed(&topic, &topics::name(&topic), &refusal));
    }
    let (first, second) = (recorded("kafkatopic-ready"), recorded("kafkatopic-conflict"));
    assert_eq!(topics::check(&first, [&second]), Ok(()));
    let conflict = topics::check(&second, [&first]).unwrap_err();
    assert_recorded(&second, &topic_failed(&second, &topics::name(&second), &conflict));
    for situation in ["kafkatopic-topicname-changed", "kafkatopic-delete-stuck"] {
        let renamed = recorded(situation);
        let refusal = topics::check(&renamed, []).unwrap_err();
        assert_recorded(&renamed, &topic_failed(&renamed, &topics::name(&renamed), &refusal));
    }
    let many = recorded("kafkatopic-replication-too-high");
    assert_recorded(&many, &topic_failed(&many, "rf3", &crate::strimzi::admin::too_many_replicas(3, 1)));
}

#[test]
fn a_topic_that_kafka_lacks_is_created_and_one_that_differs_is_changed() {
    let topic = recorded("kafkatopic-ready");
    let settings = [("retention.ms".to_owned(), "604800000".to_owned())].into();
    let created = topics::changes(&topic, None).unwrap();
    assert_eq!((created.create, created.settings.as_ref()), (Some((3, 1)), Some(&settings)));
    let same = Observed { partitions: 3, replicas: 1, settings };
    assert_eq!(topics::changes(&topic, Some(&same)).unwrap(), topics::Changes::default());
    let fewer = Observed { partitions: 2, settings: Settings::new(), ..same };
    let changes = topics::changes(&topic, Some(&fewer)).unwrap();
    assert_eq!((changes.partitions, changes.settings.map(|settings| settings.len())), (Some(3), Some(1)));
    assert_eq!(topics::changes(&recorded("kafkatopic-defaults"), None).unwrap().create, Some((-1, -1)));
}

#[test]
fn a_user_has_a_secret_of_its_name() {
    let user = recorded("kafkauser-ready");
    assert_recorded(&user, &user_ready(&user, "reader", Some("reader")));
    let refused = recorded("kafkauser-authorization-not-enabled");
    assert_recorded(&refused, &user_failed(&refused, &crate::strimzi::user_operator::rules_without_authorization()));
}

#[test]
fn a_status_that_says_the_same_is_not_written_again() {
    let kafka = recorded("kafka-ready");
    let timed_again = timed(kafka.at("/status").clone(), Timestamp::now());
    assert!(is_same(kafka.at("/status"), &timed_again));
    assert!(!is_same(kafka.at("/status"), &kafka_paused(&kafka)));
    assert!(!is_same(&Value::Null, &timed_again));
}

#[test]
fn a_connect_of_an_unknown_version_is_refused_and_one_without_a_version_is_not() {
    assert_eq!(kafka::check_connect_version(None), Ok(()));
    assert!(kafka::check_connect_version(Some("3.9.0")).is_err());
}
