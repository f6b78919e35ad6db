//! The Helm chart: what it renders, what it refuses, and that what it repeats (the CRD, metrics, headings) is still true.

mod lint;
mod monitoring;
mod pod;
mod rendered;
mod rules;
mod same;
mod values;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The three shapes of the chart that the tests look at.
const DEFAULT: &str = "default";
const EVERYTHING: &str = "everything";
const NAMESPACES: &str = "namespaces";
const SHAPES: [&str; 3] = [DEFAULT, EVERYTHING, NAMESPACES];

/// A Helm that was built from source takes a cluster that it cannot ask for a very old one.
const KUBERNETES: [&str; 2] = ["--kube-version", "1.34.0"];

/// The root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn chart() -> PathBuf {
    repository().join("charts/tributary")
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn helm(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn values_of(shape: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/chart/values/{shape}.yaml"));
    file.to_str().unwrap().to_owned()
}

/// `helm template` with more arguments.
fn template(arguments: &[&str]) -> Output {
    let chart = chart();
    helm(
        &[
            &["template", "tributary", chart.to_str().unwrap(), "--namespace", "tributary-system"],
            &KUBERNETES[..],
            arguments,
        ]
        .concat(),
    )
}

/// What the chart renders in this shape, without the CRD unless `arguments` ask for it.
fn text(shape: &str, arguments: &[&str]) -> String {
    let output = template(&[&["--values", &values_of(shape), "--set", "crds.install=false"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The rendered objects.
fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

fn of_kind(objects: &[Value], kind: &str) -> Vec<Value> {
    objects.iter().filter(|object| object["kind"] == kind).cloned().collect()
}

/// Helm: the one on PATH, else the node's own, which is built if it has to be.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("helm")).find(|program| program.is_file());
    on_path.unwrap_or_else(|| tributary_e2e::node::helm().unwrap())
}
