//! Tables that end in every way there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tributary_crds::TablePhase;

use super::*;
use crate::consume::{Budget, ConsumeError};
use crate::report::{Board, Restarts, TableState};
use crate::table::TableError;

/// Two tables: `bad`, which does what a test says at its first start, and `good`. Both work until told to stop otherwise.
struct House {
    board: Board,
    starts: Arc<AtomicUsize>,
    restarts: Restarts,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl House {
    fn with(first: impl Fn() -> Result<(), PipelineError> + Send + Sync + 'static) -> Self {
        let (board, stop) = (Board::new(Budget::new(1)), CancellationToken::new());
        let starts = Arc::new(AtomicUsize::new(0));
        let mut supervisor = Supervisor::new(stop.clone());
        let first = Arc::new(first);
        for name in ["bad", "good"] {
            let (report, counter, first) = (board.table(name, "t"), Arc::clone(&starts), Arc::clone(&first));
            let handle = report.clone();
            let start: Start = Box::new(move |stop| {
                let start = if name == "bad" { counter.fetch_add(1, Ordering::SeqCst) } else { 1 };
                let (report, first) = (report.clone(), Arc::clone(&first));
                Ok(Box::pin(async move {
                    if start == 0 {
                        return first();
                    }
                    report.assigned(&[].into(), &[]);
                    stop.cancelled().await;
                    Ok(())
                }))
            });
            supervisor.add(name, handle, start);
        }
        let (restarts, asked) = Restarts::new(["bad".to_owned(), "good".to_owned()]);
        let running = tokio::spawn(supervisor.run(asked));
        Self { board, starts, restarts, stop, running }
    }

    /// Lets every task go as far as it can. The clock of these tests stands still.
    async fn settle(&self) -> [TableState; 2] {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.board.tables(Timestamp::now()).try_into().unwrap()
    }

    fn metric(&self, line: &str) -> bool {
        self.board.metrics(Timestamp::now()).unwrap().lines().any(|found| found == line)
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn streams(table: &TableState) -> bool {
    table.phase == TablePhase::Streaming || table.phase == TablePhase::Snapshotting
}

#[tokio::test(start_paused = true)]
async fn a_table_that_panics_is_reported_its_neighbour_goes_on_and_it_can_be_started_again() {
    let house = House::with(|| panic!("a value of a row"));
    let [bad, good] = house.settle().await;
    assert!(bad.phase == TablePhase::Stopped && streams(&good), "{bad:?} {good:?}");
    let message = bad.message.unwrap();
    assert!(message.starts_with("internal error: ") && !message.contains("a value of a row"), "{message}");
    assert!(house.metric(r#"tributary_internal_errors_total{table="bad"} 1"#));
    tokio::time::sleep(TRY_LATER * 3).await;
    assert_eq!(house.starts.load(Ordering::SeqCst), 1, "nobody can cure it from outside");

    assert!(house.restarts.restart("bad"));
    let [bad, good] = house.settle().await;
    assert!(streams(&bad) && streams(&good) && bad.message.is_none(), "{bad:?}");
    assert!(house.metric(r#"tributary_restarts_total{table="bad"} 1"#));
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_table_that_ends_and_was_not_asked_to_is_no_table_that_streams() {
    let house = House::with(|| Ok(()));
    let [bad, good] = house.settle().await;
    assert!(bad.phase == TablePhase::Stopped && streams(&good));
    assert!(bad.message.unwrap().contains("nobody asked it to"));
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_others_can_cure_is_tried_again_every_five_minutes() {
    let house = House::with(|| Err(ConsumeError::TopicDeleted { topic: "t".into() }.into()));
    let [bad, _] = house.settle().await;
    assert!(bad.phase == TablePhase::Stopped && bad.message.unwrap().contains("was deleted"));
    tokio::time::sleep(TRY_LATER - Duration::from_secs(1)).await;
    assert_eq!(house.starts.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(house.starts.load(Ordering::SeqCst), 2);
    assert!(streams(&house.settle().await[0]));
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_only_a_person_can_change_waits_for_a_restart() {
    let house = House::with(|| Err(TableError::NoKey.into()));
    tokio::time::sleep(TRY_LATER * 3).await;
    assert_eq!(house.starts.load(Ordering::SeqCst), 1);
    house.restarts.restart("bad");
    assert!(streams(&house.settle().await[0]));
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_table_that_runs_ends_in_order_before_it_is_started_again() {
    let house = House::with(|| Err(TableError::NoKey.into()));
    house.restarts.restart("bad");
    house.settle().await;
    house.restarts.restart("bad");
    house.restarts.restart("bad");
    assert!(streams(&house.settle().await[0]));
    assert_eq!(house.starts.load(Ordering::SeqCst), 3, "asked twice at once, started once");
    house.end().await;
}
