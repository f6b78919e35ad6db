//! The chart's values: what they are called, that they are explained, and which are refused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{read, template, yaml};

#[test]
fn the_schema_knows_exactly_the_values_that_there_are() {
    let values = yaml(&read("charts/tributary/values.yaml"));
    let schema: Value = serde_json::from_str(&read("charts/tributary/values.schema.json")).unwrap();
    for (name, value) in values.as_object().unwrap() {
        let described = &schema["properties"][name];
        assert!(described.is_object(), "{name} is not in the schema");
        if let (Some(fields), Some(known)) = (value.as_object(), described["properties"].as_object()) {
            let keys: BTreeSet<_> = fields.keys().collect();
            assert_eq!(keys, known.keys().collect(), "{name}");
            assert_eq!(described["additionalProperties"], false, "{name}");
        }
    }
    let known: BTreeSet<_> =
        schema["properties"].as_object().unwrap().keys().filter(|name| *name != "global").collect();
    assert_eq!(values.as_object().unwrap().keys().collect::<BTreeSet<_>>(), known);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn every_value_is_explained_by_the_comment_above_it() {
    let text = read("charts/tributary/values.yaml");
    let lines: Vec<&str> = text.lines().collect();
    let is_key =
        |line: &str| line.trim_start().split(':').next().is_some_and(|key| !key.is_empty() && !key.contains(' '));
    for (number, line) in
        lines.iter().enumerate().filter(|(_, line)| is_key(line) && !line.trim_start().starts_with('#'))
    {
        let opens_a_group = line.ends_with(':') && !line.starts_with(' ');
        let below = lines.get(number + 1).is_some_and(|line| line.trim_start().starts_with("# "));
        let above = number > 0 && lines[number - 1].trim_start().starts_with("# ");
        let continues = line.starts_with("  requests:") || line.starts_with("  limits:");
        assert!(above || continues || (opens_a_group && below), "line {}: {line}", number + 1);
    }
}

/// What is set, and what the refusal must say.
const REFUSED: [(&[&str], &str); 10] = [
    (&["podDisruptionBudget.enabled=true"], "podDisruptionBudget.enabled needs replicas: 2"),
    (&["serviceAccount.create=false"], "serviceAccount.name must say which ServiceAccount"),
    (
        &["serviceAccount.create=false", "serviceAccount.name=mine", "serviceAccount.annotations.a=b"],
        "serviceAccount.annotations has no effect without serviceAccount.create: true",
    ),
    (&["networkPolicy.metricsFrom[0].podSelector.matchLabels.a=b"], "without networkPolicy.enabled: true"),
    (&["prometheusRule.enabled=true"], "prometheusRule.enabled needs podMonitor.enabled: true"),
    (&["replicas=3"], "replicas"),
    (&["watchNamespace={shop}"], "watchNamespace"),
    (&["image.replicater=x"], "replicater"),
    (&["watchNamespaces={shop,shop}"], "watchNamespaces"),
    (&["kafka.version=4"], "kafka"),
];

#[test]
fn values_that_are_wrong_or_contradict_each_other_are_refused_with_the_reason() {
    for (sets, reason) in REFUSED {
        let arguments: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let output = template(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reason), "{sets:?}: {said}");
    }
}
