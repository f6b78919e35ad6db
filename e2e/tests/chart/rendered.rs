//! Everything that the chart renders, word by word. `UPDATE_GOLDEN=1 cargo test -p tributary-e2e chart` writes the files anew.

use std::path::Path;

use super::{DEFAULT, EVERYTHING, NAMESPACES, objects, text};

fn is_golden(shape: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/chart/golden/{shape}.yaml"));
    let rendered = text(shape, &[]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &rendered).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = golden.lines().zip(rendered.lines()).find(|(old, new)| old != new);
    assert!(golden == rendered, "{} differs, first in {differs:?}; UPDATE_GOLDEN=1 writes it", file.display());
}

#[test]
fn the_chart_renders_what_the_golden_file_says_by_default() {
    is_golden(DEFAULT);
}

#[test]
fn the_chart_renders_what_the_golden_file_says_with_everything_on() {
    is_golden(EVERYTHING);
}

#[test]
fn the_chart_renders_what_the_golden_file_says_for_chosen_namespaces() {
    is_golden(NAMESPACES);
}

#[test]
fn every_object_says_that_it_belongs_to_the_release_and_none_that_it_is_a_child_of_the_operator() {
    for object in objects(&text(EVERYTHING, &[])) {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/instance"], "tributary", "{object}");
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{object}");
    }
}
