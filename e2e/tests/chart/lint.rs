//! What Helm itself has to say about the chart.

use super::{KUBERNETES, SHAPES, chart, helm, read, values_of, yaml};

#[test]
fn helm_finds_nothing_wrong_with_the_chart() {
    let chart = chart();
    for shape in SHAPES {
        let output = helm(&[
            "lint",
            "--strict",
            chart.to_str().unwrap(),
            "--values",
            &values_of(shape),
            KUBERNETES[0],
            KUBERNETES[1],
        ]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.contains("[WARNING]") && !said.contains("[ERROR]"), "{shape}: {said}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_workspace() {
    let chart = yaml(&read("charts/tributary/Chart.yaml"));
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}
