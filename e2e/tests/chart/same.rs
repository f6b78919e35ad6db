//! The CRD is one file in three places: crds/yaml, the chart's copy, and what the chart renders.

use serde_json::Value;

use super::{DEFAULT, objects, of_kind, read, text, yaml};

/// Helm writes `64.0` as `64`.
fn numbers_alike(value: Value) -> Value {
    match value {
        Value::Number(number) => serde_json::json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(numbers_alike).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, numbers_alike(value))).collect(),
        other => other,
    }
}

#[test]
fn the_chart_installs_the_generated_crd_and_nothing_else() {
    let generated = read("crds/yaml/cdcreplications.yaml");
    assert!(read("charts/tributary/files/cdcreplications.yaml") == generated, "run `make generate`");
    let rendered = of_kind(&objects(&text(DEFAULT, &["--set", "crds.install=true"])), "CustomResourceDefinition");
    let [mut crd] = <[Value; 1]>::try_from(rendered).unwrap();
    let annotations = crd["metadata"].as_object_mut().unwrap().remove("annotations").unwrap();
    assert_eq!(annotations, serde_json::json!({"helm.sh/resource-policy": "keep"}));
    assert!(numbers_alike(crd) == numbers_alike(yaml(&generated)));
}

#[test]
fn the_crd_can_be_left_out() {
    assert!(of_kind(&objects(&text(DEFAULT, &[])), "CustomResourceDefinition").is_empty());
}
