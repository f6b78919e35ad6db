//! The verdict on a `KafkaConnector`: Strimzi's own `Ready` is true of connectors that do nothing.

use serde_json::Value;

use super::{State, Verdict, name, ready, settled};

/// Longest text in brackets that is repeated, in bytes.
const LONGEST_DUMP: usize = 80;
/// Longest part of a trace that is repeated.
const LONGEST_CAUSE: usize = 500;

/// The verdict on a `KafkaConnector`. It works when the connector and at least one task, and all of them, run.
pub fn kafka_connector(live: &Value) -> Verdict {
    let (connector, tasks) = states(live);
    let failed = |state: Option<&str>| state == Some("FAILED");
    // Before Strimzi's own words, which only point here.
    if is_current(live) && (failed(connector) || tasks.iter().any(|state| failed(*state))) {
        return broken(live);
    }
    if let Some(verdict) = settled(live) {
        return verdict;
    }
    let name = name(live);
    let all = |wanted: &str| tasks.iter().all(|state| *state == Some(wanted));
    let wanted = live["spec"]["state"].as_str().unwrap_or("running");
    match (wanted, connector) {
        ("stopped", Some("STOPPED")) if tasks.is_empty() => {
            Verdict::new(State::Stopped, "Stopped", format!("connector {name} is stopped"))
        }
        ("paused", Some("PAUSED")) if all("PAUSED") => {
            Verdict::new(State::Paused, "Paused", format!("connector {name} is paused"))
        }
        ("running", Some("RUNNING")) if !tasks.is_empty() && all("RUNNING") => ready(live),
        (wanted, connector) => {
            let states: Vec<&str> = tasks.iter().map(|state| state.unwrap_or("unknown")).collect();
            let (is, tasks) = (connector.unwrap_or("unknown"), states.join(", "));
            let tasks = if tasks.is_empty() { "none".to_owned() } else { tasks };
            let message = format!("connector {name} is to be {wanted}; it is {is}, its tasks: {tasks}");
            Verdict::new(State::Progressing, "Changing", message)
        }
    }
}

/// The connector's state, and those of its tasks.
fn states(live: &Value) -> (Option<&str>, Vec<Option<&str>>) {
    let status = &live["status"]["connectorStatus"];
    let tasks = status["tasks"].as_array().into_iter().flatten();
    (status["connector"]["state"].as_str(), tasks.map(|task| task["state"].as_str()).collect())
}

/// Strimzi has seen the newest spec, and looks at it at all.
fn is_current(live: &Value) -> bool {
    live["status"]["observedGeneration"] == live["metadata"]["generation"]
        && live["metadata"]["deletionTimestamp"].is_null()
}

/// The Java traces of what has failed: of the connector, then of its tasks.
pub fn traces(live: &Value) -> impl Iterator<Item = &str> {
    let status = &live["status"]["connectorStatus"];
    let parts = std::iter::once(&status["connector"]).chain(status["tasks"].as_array().into_iter().flatten());
    parts.filter(|part| part["state"] == "FAILED").filter_map(|part| part["trace"].as_str())
}

fn broken(live: &Value) -> Verdict {
    let cause = traces(live).map(cause).next().unwrap_or_else(|| "no trace is given".to_owned());
    let restarts = match live["status"]["autoRestart"]["count"].as_i64() {
        Some(count) => format!("; Strimzi has restarted it {count} times and goes on"),
        None => String::new(),
    };
    Verdict::new(State::Failed, "TaskFailed", format!("connector {} has failed: {cause}{restarts}", name(live)))
}

/// The first line of a Java trace and its innermost cause, without the places in the code.
fn cause(trace: &str) -> String {
    let first = trace.lines().next().unwrap_or_default();
    let innermost = trace.lines().filter_map(|line| line.trim_start().strip_prefix("Caused by: ")).next_back();
    let text = match innermost {
        Some(innermost) => format!("{first} Caused by: {innermost}"),
        None => first.to_owned(),
    };
    let text = without_dumps(&text);
    match text.char_indices().nth(LONGEST_CAUSE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The text without what Debezium prints of its own state, in brackets: it is longer than what it has to say, which comes after it.
fn without_dumps(text: &str) -> String {
    let (mut kept, mut depth, mut inside) = (String::with_capacity(text.len()), 0_u32, String::new());
    for c in text.chars() {
        match (c, depth) {
            (']', 1) => {
                kept.push_str(if inside.len() > LONGEST_DUMP { "\u{2026}" } else { &inside });
                kept.push(c);
                (depth, inside) = (0, String::new());
            }
            (_, 0) => {
                kept.push(c);
                depth = u32::from(c == '[');
            }
            _ => {
                inside.push(c);
                depth = depth + u32::from(c == '[') - u32::from(c == ']');
            }
        }
    }
    kept + &inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_debezium_prints_of_its_own_state_does_not_hide_what_it_says() {
        let dump = format!("at PostgresOffsetContext [a=[1], b={}], but this is no longer available", "x".repeat(90));
        assert_eq!(without_dumps(&dump), "at PostgresOffsetContext [\u{2026}], but this is no longer available");
        assert_eq!(without_dumps("[a, [b]] c [d"), "[a, [b]] c [d");
    }
}
