//! The operator with many resources: prints what a reconcile costs. `make bench-operator` runs it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::ListParams;
use serde_json::json;
use tributary_e2e::cluster::{Lab, Operator, in_lab};

use super::shop;

const RESOURCES: usize = 500;

#[tokio::test]
#[ignore = "measures, for minutes: make bench-operator"]
async fn five_hundred_suspended_resources_cost_no_writes_once_they_are_reconciled() {
    in_lab(|lab| async move {
        shop::create(&lab, 10).await;
        let started = Instant::now();
        for number in 0..RESOURCES {
            // A Kafka of its own for each would be 500 of them; the connector's resource is made all the same.
            let document = lab
                .document(&format!("shop-{number}"), &["public.users"])
                .with("/spec/kafka", json!({"external": {"bootstrapServers": "kafka:9092"}}))
                .with("/spec/connect", json!({"clusterName": "shared"}))
                .with("/spec/suspend", json!(true));
            lab.apply(&document).await.unwrap();
        }
        println!("{RESOURCES} resources applied after {:.0} s", started.elapsed().as_secs_f64());
        until_all_are_reconciled(&lab).await;
        println!("all reconciled after {:.0} s", started.elapsed().as_secs_f64());
        until_quiet(&lab).await;
        let before = metrics(&lab).await;
        // A whole round of reconciles with nothing to do.
        println!("waiting for each to be looked at again, which the operator does every 10 minutes");
        let more = |metrics: &BTreeMap<String, f64>| reconciles(metrics) >= reconciles(&before) + RESOURCES as f64;
        let after = until(&lab, Duration::from_mins(15), more).await;
        let passes = reconciles(&after) - reconciles(&before);
        let calls = sum(&after, CALLS) - sum(&before, CALLS);
        println!("reconciles: {passes}, calls: {calls}, writes: {}", writes_of(&after) - writes_of(&before));
        for (name, value) in after.iter().filter(|(name, _)| name.contains("reconcile_duration")) {
            println!("{name} {}", value - before.get(name).copied().unwrap_or_default());
        }
        assert!(writes_of(&after) <= writes_of(&before), "something was written although nothing had changed");
    })
    .await;
}

async fn until_all_are_reconciled(lab: &Lab) {
    let deadline = Instant::now() + Duration::from_mins(15);
    loop {
        let all = lab.replications().list(&ListParams::default()).await.unwrap();
        let seen =
            all.iter().filter(|it| it.status.as_ref().is_some_and(|status| status.observed_generation.is_some()));
        if seen.count() == RESOURCES {
            return;
        }
        assert!(Instant::now() < deadline, "not all resources were reconciled in time");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Until two looks ten seconds apart see the same number of writes.
async fn until_quiet(lab: &Lab) {
    let mut last = None;
    loop {
        let writes = writes_of(&metrics(lab).await) as u64;
        if last == Some(writes) {
            return;
        }
        last = Some(writes);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

async fn until(lab: &Lab, patience: Duration, is: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
    let deadline = Instant::now() + patience;
    loop {
        let found = metrics(lab).await;
        if is(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "the operator did not come round in time: {found:#?}");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn reconciles(metrics: &BTreeMap<String, f64>) -> f64 {
    sum(metrics, "tributary_operator_reconcile_duration_seconds_count")
}

/// Every request to the API server, by verb.
const CALLS: &str = "tributary_operator_api_requests_total";

fn writes_of(metrics: &BTreeMap<String, f64>) -> f64 {
    let writes = |series: &str| {
        ["post", "put", "patch", "delete"].iter().any(|verb| series.to_lowercase().contains(&format!("\"{verb}\"")))
    };
    metrics.iter().filter(|(series, _)| series.starts_with(CALLS) && writes(series)).map(|(_, value)| value).sum()
}

fn sum(metrics: &BTreeMap<String, f64>, name: &str) -> f64 {
    metrics.iter().filter(|(series, _)| series.split('{').next() == Some(name)).map(|(_, value)| value).sum()
}

/// What the operator that leads says of itself: series → value.
async fn metrics(lab: &Lab) -> BTreeMap<String, f64> {
    let text = Operator::new(&lab.cluster.client).metrics().await.unwrap();
    let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    series.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}
