//! Tables that end in every way there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tributary_crds::TablePhase;

use super::*;
use crate::consume::{Budget, ConsumeError};
use crate::report::{Board, Restarts, TableState};
use crate::table::TableError;

/// How soon what others can cure is tried again here.
const SOON: Duration = Duration::from_millis(50);

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
        supervisor.try_later = SOON;
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

    /// Waits until the tables, `bad` and `good`, are as they should be.
    async fn until(&self, condition: impl Fn(&TableState, &TableState) -> bool) -> [TableState; 2] {
        let waited = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let tables: [TableState; 2] = self.board.tables(Timestamp::now()).try_into().unwrap();
                if condition(&tables[0], &tables[1]) {
                    return tables;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        waited.await.expect("it never happens")
    }

    async fn until_bad_has_stopped(&self) -> String {
        let [bad, _] = self.until(|bad, good| bad.phase == TablePhase::Stopped && works(good)).await;
        bad.message.unwrap()
    }

    async fn until_both_work(&self) {
        self.until(|bad, good| works(bad) && works(good) && bad.message.is_none()).await;
    }

    fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    fn metric(&self, line: &str) -> bool {
        self.board.metrics(Timestamp::now()).unwrap().lines().any(|found| found == line)
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn works(table: &TableState) -> bool {
    table.phase.works()
}

#[tokio::test]
async fn a_table_that_panics_is_reported_its_neighbour_goes_on_and_it_can_be_started_again() {
    let house = House::with(|| panic!("a value of a row"));
    let message = house.until_bad_has_stopped().await;
    assert!(message.starts_with("internal error: ") && !message.contains("a value of a row"), "{message}");
    assert!(house.metric(r#"tributary_internal_errors_total{table="bad"} 1"#));
    tokio::time::sleep(SOON * 3).await;
    assert_eq!(house.starts(), 1, "nobody can cure it from outside");

    assert!(house.restarts.restart("bad"));
    house.until_both_work().await;
    assert!(house.metric(r#"tributary_restarts_total{table="bad"} 1"#));
    house.end().await;
}

#[tokio::test]
async fn a_table_that_ends_and_was_not_asked_to_is_no_table_that_streams() {
    let house = House::with(|| Ok(()));
    let message = house.until_bad_has_stopped().await;
    assert!(message.contains("nobody asked it to"), "{message}");
    house.end().await;
}

#[tokio::test]
async fn what_others_can_cure_is_tried_again_after_a_while() {
    let house = House::with(|| Err(ConsumeError::TopicDeleted { topic: "t".into() }.into()));
    house.until_both_work().await;
    assert_eq!(house.starts(), 2);
    assert!(house.metric(r#"tributary_errors_total{table="bad",policy="try-later"} 1"#));
    house.end().await;
}

#[tokio::test]
async fn what_only_a_person_can_change_waits_for_a_restart() {
    let house = House::with(|| Err(TableError::NoKey.into()));
    house.until_bad_has_stopped().await;
    tokio::time::sleep(SOON * 3).await;
    assert_eq!(house.starts(), 1);
    house.restarts.restart("bad");
    house.until_both_work().await;
    house.end().await;
}

#[tokio::test]
async fn a_table_that_runs_ends_in_order_before_it_is_started_again() {
    let house = House::with(|| Err(TableError::NoKey.into()));
    house.until_bad_has_stopped().await;
    house.restarts.restart("bad");
    house.until_both_work().await;
    // Told twice before it could do anything: the runtime of this test has one thread.
    house.restarts.restart("bad");
    house.restarts.restart("bad");
    house.until(|_, _| house.starts() == 3).await;
    house.until_both_work().await;
    house.end().await;
}
