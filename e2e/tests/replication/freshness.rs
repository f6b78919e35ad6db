//! How soon a change is in Delta.

use std::time::{Duration, Instant};

use tributary_e2e::pipeline::PipelineOptions;
use tributary_e2e::shop::{self, Workload};

use crate::shared::Bench;

const USERS: &str = "public.users";

#[tokio::test]
async fn with_an_interval_of_one_second_a_change_is_in_delta_within_seconds() {
    let mut bench = Bench::new(&PipelineOptions::json(&shop::TABLES).commit_interval("1s")).await;
    shop::create(bench.pipeline.source()).await.unwrap();
    shop::seed(bench.pipeline.source(), 1000).await.unwrap();
    bench.pipeline.start().await.unwrap();
    bench.until_equal(&shop::TABLES).await;

    // Seen from outside, one change at a time.
    let mut ages = Vec::new();
    for number in 0..5 {
        bench.sql(&format!("INSERT INTO users (name, email) VALUES ('fresh', '{number}')")).await;
        ages.push(until_one_more_row(&bench).await);
    }
    ages.sort_unstable();
    println!("seen in Delta after {ages:?}");
    assert!(ages[2] < Duration::from_secs(5), "{ages:?}");

    // Seen from inside, under a steady load.
    Workload::new(6, 50).run(bench.pipeline.source(), 500).await.unwrap();
    bench.until_equal(&shop::TABLES).await;
    let metrics = bench.pipeline.metrics().await.unwrap();
    let (half, all) = histogram(&metrics, "tributary_freshness_seconds", "public.orders");
    println!("the median commit of orders was fresh within {half} s, of {all}");
    assert!(all >= 5 && half <= 5.0, "the median of {all} commits was fresh within {half} s\n{metrics}");
}

async fn until_one_more_row(bench: &Bench) -> Duration {
    let start = Instant::now();
    let location = bench.pipeline.location(USERS).unwrap();
    let wanted: i64 = bench.pipeline.source().query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0);
    let there = async || bench.oracle.count(&location).await.is_ok_and(|(_, rows)| rows == wanted as u64);
    bench.pipeline.wait("the new row is in Delta", there).await.unwrap();
    start.elapsed()
}

/// The smallest bound that holds half of a histogram's observations, and how many there are.
fn histogram(metrics: &str, name: &str, table: &str) -> (f64, u64) {
    let of_table = |line: &&str| line.starts_with(name) && line.contains(&format!("table=\"{table}\""));
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    let lines: Vec<&str> = metrics.lines().filter(of_table).collect();
    let all = value(lines.iter().find(|line| line.starts_with(&format!("{name}_count"))).expect(metrics));
    let buckets = lines.iter().filter(|line| line.starts_with(&format!("{name}_bucket")));
    let half = buckets.filter(|line| value(line) * 2.0 >= all).filter_map(|line| {
        let bound = line.split("le=\"").nth(1)?.split('"').next()?;
        bound.parse::<f64>().ok()
    });
    (half.fold(f64::INFINITY, f64::min), all as u64)
}
