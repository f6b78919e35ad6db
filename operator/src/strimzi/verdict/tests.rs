//! Every recorded status, with the verdict on it.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{State, Verdict, of};

use State::{Failed, Paused, Progressing, Ready, Stopped};

/// Recording, state, reason, words of the message.
const VERDICTS: [(&str, State, &str, &str); 95] = [
    ("kafka-creating", Progressing, "Creating", ""),
    ("kafka-forbidden-config-key", Ready, "Ready", ""),
    ("kafka-image-pull-timeout-2nd-reconcile", Failed, "FatalProblem", ""),
    ("kafka-image-pull-timeout", Failed, "StrimziTimeoutException", ""),
    ("kafka-image-pull-waiting", Progressing, "Creating", ""),
    ("kafka-invalid-config-value", Failed, "InvalidResourceException", "is not an int"),
    ("kafka-invalid-replication-config", Failed, "InvalidResourceException", ""),
    ("kafka-no-controller", Failed, "InvalidResourceException", ""),
    ("kafka-no-nodepool", Failed, "InvalidConfigurationException", ""),
    ("kafka-no-operator", Progressing, "NotObserved", "does not run"),
    ("kafka-ready", Ready, "Ready", ""),
    ("kafka-reconciliation-paused-spec-changed", Paused, "ReconciliationPaused", ""),
    ("kafka-reconciliation-paused", Paused, "ReconciliationPaused", "remove it"),
    ("kafka-unsupported-version", Failed, "UnsupportedKafkaVersionException", ""),
    ("kafkaconnect-first-status", Progressing, "NotObserved", ""),
    ("kafkaconnect-image-pull-timeout", Failed, "StrimziTimeoutException", ""),
    ("kafkaconnect-image-pull-waiting", Progressing, "NotObserved", ""),
    ("kafkaconnect-notready-because-connector-list-value", Failed, "InvalidConfigParameterException", ""),
    ("kafkaconnect-ready", Ready, "Ready", ""),
    ("kafkaconnect-reconciliation-paused-never-reconciled", Paused, "ReconciliationPaused", ""),
    ("kafkaconnect-reconciliation-paused", Paused, "ReconciliationPaused", ""),
    ("kafkaconnect-rolling", Progressing, "Updating", ""),
    ("kafkaconnect-unsupported-version", Failed, "InvalidResourceException", ""),
    ("kafkaconnect-without-use-connector-resources", Failed, "ConnectorResourcesOff", "annotate it"),
    ("kafkaconnect-zero-replicas", Failed, "NoWorkers", ""),
    ("kafkaconnector-after-rescale", Ready, "Ready", ""),
    ("kafkaconnector-annotation-removed-from-connect-stale", Progressing, "Changing", ""),
    ("kafkaconnector-born-paused", Paused, "Paused", ""),
    ("kafkaconnector-born-stopped", Stopped, "Stopped", ""),
    ("kafkaconnector-class-changed", Failed, "ConnectRestException", ""),
    ("kafkaconnector-config-changed-1-unassigned", Progressing, "Changing", ""),
    ("kafkaconnector-config-changed", Ready, "Ready", ""),
    ("kafkaconnector-connect-deleted", Failed, "NoSuchResourceException", ""),
    ("kafkaconnector-connect-not-annotated", Failed, "NoSuchResourceException", ""),
    ("kafkaconnector-connect-not-ready", Progressing, "NotObserved", ""),
    ("kafkaconnector-connect-rolling-spec-changed", Progressing, "Updating", ""),
    ("kafkaconnector-connect-rolling", Ready, "Ready", ""),
    ("kafkaconnector-connect-zero-replicas", Failed, "RuntimeException", ""),
    ("kafkaconnector-database-down", Ready, "Ready", ""),
    ("kafkaconnector-database-unreachable", Failed, "ConnectRestException", ""),
    ("kafkaconnector-first-status", Progressing, "Changing", ""),
    ("kafkaconnector-invalid-config-values", Failed, "ConnectRestException", ""),
    ("kafkaconnector-invalid-update-of-running", Failed, "ConnectRestException", ""),
    ("kafkaconnector-just-created", Progressing, "NotObserved", ""),
    ("kafkaconnector-list-value", Progressing, "NotObserved", ""),
    ("kafkaconnector-missing-config", Failed, "ConnectRestException", ""),
    ("kafkaconnector-no-cluster-label", Failed, "InvalidResourceException", ""),
    ("kafkaconnector-no-such-connect", Failed, "NoSuchResourceException", "'nope'"),
    ("kafkaconnector-no-such-database", Failed, "ConnectRestException", ""),
    ("kafkaconnector-offsets-reset-while-running", Ready, "Ready", ""),
    ("kafkaconnector-ready-no-autorestart", Progressing, "Changing", ""),
    ("kafkaconnector-reconciliation-paused-spec-changed", Paused, "ReconciliationPaused", ""),
    ("kafkaconnector-reconciliation-paused", Paused, "ReconciliationPaused", ""),
    ("kafkaconnector-restart-done", Ready, "Ready", ""),
    ("kafkaconnector-restart-task-bad-id", Ready, "Ready", ""),
    ("kafkaconnector-restart-task-done-stale-failed", Failed, "TaskFailed", ""),
    ("kafkaconnector-running", Ready, "Ready", ""),
    ("kafkaconnector-secret-key-missing", Failed, "ConnectRestException", ""),
    ("kafkaconnector-secret-missing", Failed, "ConnectRestException", "Failed to retrieve Secret pg-none"),
    ("kafkaconnector-secret-no-rbac", Failed, "ConnectRestException", ""),
    ("kafkaconnector-secret-rbac-revoked-running", Progressing, "Changing", ""),
    ("kafkaconnector-state-paused-1-stale-running", Progressing, "Changing", ""),
    ("kafkaconnector-state-paused-2-task-still-running", Progressing, "Changing", ""),
    ("kafkaconnector-state-paused", Paused, "Paused", ""),
    ("kafkaconnector-state-running-1-stale-stopped", Progressing, "Changing", ""),
    ("kafkaconnector-state-running-2-no-tasks", Progressing, "Changing", "its tasks: none"),
    ("kafkaconnector-state-running-again", Progressing, "Changing", ""),
    ("kafkaconnector-state-stopped-1-stale-paused", Progressing, "Changing", ""),
    ("kafkaconnector-state-stopped", Stopped, "Stopped", ""),
    ("kafkaconnector-task-failed-1-restarting", Progressing, "Changing", ""),
    ("kafkaconnector-task-failed-autorestart1", Failed, "TaskFailed", ""),
    ("kafkaconnector-task-failed-autorestart2", Failed, "TaskFailed", "restarted it 2 times"),
    ("kafkaconnector-task-failed", Failed, "TaskFailed", ""),
    ("kafkaconnector-task-recovered", Progressing, "Changing", ""),
    ("kafkaconnector-tasksmax-3", Ready, "Ready", ""),
    ("kafkaconnector-unknown-class", Failed, "ConnectRestException", ""),
    ("kafkaconnector-unknown-config-key", Ready, "Ready", ""),
    ("kafkaconnector-wrong-password", Failed, "ConnectRestException", "password authentication failed"),
    ("kafkatopic-conflict", Failed, "ResourceConflict", "name='orders'"),
    ("kafkatopic-defaults", Ready, "Ready", ""),
    ("kafkatopic-delete-stuck-no-operator", Progressing, "Deleting", ""),
    ("kafkatopic-delete-stuck", Progressing, "Deleting", ""),
    ("kafkatopic-invalid-config", Failed, "InvalidConfigurationException", ""),
    ("kafkatopic-just-created", Ready, "Ready", ""),
    ("kafkatopic-kafka-deleted", Ready, "Ready", ""),
    ("kafkatopic-other-cluster-label", Progressing, "NotObserved", ""),
    ("kafkatopic-partitions-decrease", Failed, "NotSupported", ""),
    ("kafkatopic-ready", Ready, "Ready", ""),
    ("kafkatopic-reconciliation-paused", Paused, "ReconciliationPaused", ""),
    ("kafkatopic-replicas-change", Failed, "NotSupported", ""),
    ("kafkatopic-replication-too-high", Failed, "InvalidReplicationFactorException", ""),
    ("kafkatopic-topicname-changed", Failed, "NotSupported", ""),
    ("kafkatopic-unmanaged", Paused, "Unmanaged", ""),
    ("kafkauser-authorization-not-enabled", Failed, "InvalidResourceException", "ACL rules"),
    ("kafkauser-ready", Ready, "Ready", ""),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/strimzi/recorded")
}

fn recorded(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn verdict(name: &str) -> Verdict {
    of(&recorded(name)).unwrap()
}

#[test]
fn every_recorded_status_gets_the_verdict_of_whoever_saw_it() {
    for (name, state, reason, words) in VERDICTS {
        let verdict = verdict(name);
        assert_eq!((verdict.state, verdict.reason.as_str()), (state, reason), "{name}: {}", verdict.message);
        assert!(verdict.message.contains(words), "{name}: {}", verdict.message);
    }
}

#[test]
fn no_recording_is_left_out() {
    let mut files: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut names = VERDICTS.map(|(name, ..)| name);
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
fn a_message_of_a_failed_task_has_the_cause_and_not_the_trace() {
    let message = verdict("kafkaconnector-task-failed").message;
    assert!(message.contains("password authentication failed for user"), "{message}");
    assert!(!message.contains("\tat ") && message.len() < 700, "{message}");
}

#[test]
fn a_connect_without_our_connector_is_not_fit() {
    let mut live = recorded("kafkaconnect-ready");
    live["status"]["connectorPlugins"][0]["class"] = "org.example.Other".into();
    let verdict = of(&live).unwrap();
    assert_eq!((verdict.state, verdict.reason.as_str()), (Failed, "PluginMissing"));
}

#[test]
fn a_pool_says_nothing_of_its_own() {
    assert_eq!(of(&serde_json::json!({"kind": "KafkaNodePool"})), None);
}
