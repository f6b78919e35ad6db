//! The table engine, broken a few hundred times: `CHAOS_SEED=123` runs one seed again, `CHAOS_SEEDS=10000` that many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is a test")]

mod backing;
mod batches;
mod checkpoint;
mod foreign;
mod index;
mod log;
mod process;
mod properties;
mod reader;
mod resync;
mod rng;
mod scenario;
mod shape;
mod store;
mod tally;
mod topic;
mod turns;
mod value;
mod vector;
mod verify;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tally::Tally;

/// About a minute on two cores.
const SEEDS: u64 = 600;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn every_version_holds_what_the_events_say_whatever_breaks() {
    let (first, last) = match number("CHAOS_SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("CHAOS_SEEDS").unwrap_or(SEEDS)),
    };
    let (next, tally) = (AtomicU64::new(first), Tally::default());
    let threads = thread::available_parallelism().map_or(2, usize::from).min(8);
    let failures: Vec<String> = thread::scope(|scope| {
        let runners: Vec<_> = (0..threads).map(|_| scope.spawn(|| run_seeds(&next, last, &tally))).collect();
        runners.into_iter().flat_map(|runner| runner.join().unwrap()).collect()
    });
    println!("{tally}");
    assert!(failures.is_empty(), "{} of {} seeds failed:\n{}", failures.len(), last - first + 1, failures.join("\n"));
}

fn run_seeds(next: &AtomicU64, last: u64, tally: &Tally) -> Vec<String> {
    let mut failures = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed > last {
            return failures;
        }
        if let Err(failure) = run_seed(seed, tally) {
            let again = format!("CHAOS_SEED={seed} cargo test -p tributary-replicator --test chaos");
            println!("seed {seed}: {failure}");
            failures.push(format!("seed {seed}: {failure}\n  {again}"));
        }
        if seed.is_multiple_of(500) {
            println!("{seed} seeds: {tally}");
        }
    }
}

/// One seed on a thread and a runtime of its own, so that nothing but the seed says what happens when.
fn run_seed(seed: u64, tally: &Tally) -> Result<(), String> {
    let own = Tally::default();
    let run = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Box::pin(scenario::run(seed, &own)))
    }));
    own.count("seeds");
    tally.merge(&own);
    match run {
        Ok(done) => done.map_err(|error| format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}
