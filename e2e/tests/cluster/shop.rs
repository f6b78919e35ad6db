//! The shop of a lab, and a workload beside a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;
use tributary_e2e::cluster::{Document, Lab};
use tributary_e2e::shop::{self, Counts, Workload};

/// Name of the resource in most tests.
pub(crate) const NAME: &str = "shop";

/// Creates the shop's tables with so many orders.
pub(crate) async fn create(lab: &Lab, orders: u32) {
    shop::create(&lab.source).await.unwrap();
    shop::seed(&lab.source, orders).await.unwrap();
}

/// Creates the shop, applies its resource, and waits until it has caught up.
pub(crate) async fn replicated(lab: &Lab) -> Document {
    create(lab, 1000).await;
    let document = lab.document(NAME, &shop::TABLES);
    lab.apply(&document).await.unwrap();
    lab.until_caught_up(NAME).await;
    document
}

/// The shop's Delta tables equal its source at this moment.
pub(crate) async fn equal(lab: &Lab) {
    println!("{}", lab.equal(NAME, &shop::TABLES).await);
}

/// Waits until the shop's Delta tables equal its source.
pub(crate) async fn until_equal(lab: &Lab) {
    println!("{}", lab.until_equal(NAME, &shop::TABLES).await);
}

/// A workload that runs until it is stopped.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    workload: JoinHandle<Counts>,
}

/// Starts a steady workload, some hundred transactions a second.
pub(crate) async fn work(lab: &Lab) -> Running {
    let session = lab.administrator().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let workload = tokio::spawn(async move {
        let mut workload = Workload::new(7, 100);
        workload.run_while(&session, |_| stopped.load(Ordering::Relaxed)).await.unwrap()
    });
    Running { stop, workload }
}

impl Running {
    /// Stops it and says what it did; it must have done something.
    pub(crate) async fn stop(self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        let counts = self.workload.await.unwrap();
        assert!(counts.rows() > 0, "the workload did nothing: {counts}");
        println!("{counts}");
        counts
    }
}
