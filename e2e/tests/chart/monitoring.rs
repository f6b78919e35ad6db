//! Alerts and dashboard: the metrics that they read exist, and each alert has its page.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{EVERYTHING, objects, of_kind, read, text};

/// The names of metrics in an expression, without what Prometheus adds to them.
fn metrics(expression: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = expression.split(|character: char| !is_name(character)).filter(|word| word.starts_with("tributary_"));
    let bare = |word: &str| {
        let suffixes = ["_total", "_bucket", "_count", "_sum"];
        suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word).to_owned()
    };
    words.map(bare).collect()
}

/// Every `expr` and every query of a variable.
fn expressions(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| expressions(item, into)),
        Value::Object(fields) => {
            into.extend(["expr", "definition"].iter().filter_map(|name| Some(fields.get(*name)?.as_str()?.to_owned())));
            fields.values().for_each(|field| expressions(field, into));
        }
        _ => {}
    }
}

fn all_exist(expressions: &[String]) {
    let operator = read("operator/src/metrics.rs");
    let replicator: String =
        ["metrics", "process", "stats"].map(|module| read(&format!("replicator/src/report/{module}.rs"))).concat();
    for expression in expressions {
        for metric in metrics(expression) {
            let exists = match metric.strip_prefix("tributary_operator_") {
                Some(name) => operator.contains(&format!("\"{name}\"")),
                None => replicator.contains(&format!("\"{}\"", metric.trim_start_matches("tributary_"))),
            };
            assert!(exists, "nobody exports {metric}, which is read by {expression}");
        }
    }
}

fn rule() -> Value {
    of_kind(&objects(&text(EVERYTHING, &[])), "PrometheusRule").remove(0)
}

#[test]
fn every_alert_reads_metrics_that_exist() {
    let mut read = Vec::new();
    expressions(&rule(), &mut read);
    assert_eq!(read.len(), 8);
    all_exist(&read);
}

#[test]
fn every_panel_of_the_dashboard_reads_metrics_that_exist() {
    let maps = of_kind(&objects(&text(EVERYTHING, &[])), "ConfigMap");
    let dashboard: Value = serde_json::from_str(maps[0]["data"]["tributary.json"].as_str().unwrap()).unwrap();
    let mut read = Vec::new();
    expressions(&dashboard, &mut read);
    assert!(read.len() > 16, "{read:?}");
    all_exist(&read);
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{}", panel["title"]);
    }
}

#[test]
fn every_alert_leads_to_a_heading_that_says_what_to_do() {
    let page = read("docs/running.md");
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.trim().to_lowercase())
        .collect();
    for group in rule()["spec"]["groups"].as_array().unwrap() {
        for alert in group["rules"].as_array().unwrap() {
            let name = alert["alert"].as_str().unwrap();
            let link = alert["annotations"]["runbook_url"].as_str().unwrap();
            let (file, anchor) = link.split_once('#').unwrap();
            assert!(file.ends_with("/docs/running.md"), "{link}");
            assert_eq!(anchor, name.to_lowercase());
            assert!(headings.contains(anchor), "docs/running.md has no heading {name}");
        }
    }
}
