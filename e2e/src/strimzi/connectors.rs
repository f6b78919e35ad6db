//! What a `KafkaConnector` asks for.

use super::configuration::{CONNECTOR, Settings};
use super::refusal::Refusal;
use super::resource::{Resource, View};

/// The configuration for Connect.
pub(super) fn settings(connector: &Resource) -> Result<Settings, Refusal> {
    let mut settings = CONNECTOR.settings(connector.at("/spec/config"))?;
    settings.insert("name".to_owned(), connector.key().1);
    if let Some(class) = connector.text("/spec/class") {
        settings.insert("connector.class".to_owned(), class.to_owned());
    }
    if let Some(tasks) = connector.at("/spec/tasksMax").as_i64() {
        settings.insert("tasks.max".to_owned(), tasks.to_string());
    }
    if let Some(version) = connector.text("/spec/version") {
        settings.insert("connector.plugin.version".to_owned(), version.to_owned());
    }
    Ok(settings)
}

/// The state that the resource wants: `running`, `paused` or `stopped`.
pub(super) fn desired_state(connector: &Resource) -> &str {
    connector.text("/spec/state").unwrap_or("running")
}

/// What to ask Connect for so that a connector gets there from the state that it is in, if anything.
pub(super) fn verb(desired: &str, actual: &str) -> Option<&'static str> {
    match (desired, actual) {
        ("running", "PAUSED" | "STOPPED") => Some("resume"),
        // A connector that has failed can be stopped, and not paused.
        ("paused", "RUNNING" | "STOPPED" | "UNASSIGNED" | "RESTARTING") => Some("pause"),
        ("stopped", "RUNNING" | "PAUSED" | "FAILED" | "UNASSIGNED" | "RESTARTING") => Some("stop"),
        _ => None,
    }
}

/// The value of the annotation `strimzi.io/restart`: with tasks, and only what has failed.
pub(super) fn restart_options(value: &str) -> Option<(bool, bool)> {
    if value == "false" {
        return None;
    }
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    Some((words.contains(&"includeTasks"), words.contains(&"onlyFailed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_is_moved_only_when_it_is_elsewhere() {
        assert_eq!(verb("running", "RUNNING"), None);
        assert_eq!(verb("running", "STOPPED"), Some("resume"));
        assert_eq!(verb("paused", "STOPPED"), Some("pause"));
        assert_eq!(verb("paused", "FAILED"), None);
        assert_eq!(verb("stopped", "FAILED"), Some("stop"));
        assert_eq!(verb("stopped", "STOPPED"), None);
    }

    #[test]
    fn the_restart_annotation_says_what_is_restarted() {
        assert_eq!(restart_options("true"), Some((false, false)));
        assert_eq!(restart_options("includeTasks,onlyFailed"), Some((true, true)));
        assert_eq!(restart_options("false"), None);
    }
}
