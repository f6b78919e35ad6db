//! Transactions that stay open for longer than a chunk of a copy takes, over rows all over a table.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use tributary_e2e::shop::Random;

/// From one row that a transaction changes to the next: in nearly every chunk there is one.
const STRIDE: i64 = 7919;

/// Changes orders up to the key `last` until `stopped` says so: values, long texts out of line, and keys, and takes some away. How
/// many transactions have been committed.
pub(super) async fn run(session: Client, last: i64, stopped: impl Fn() -> bool) -> Result<u32, Error> {
    let (mut random, mut committed) = (Random::new(3), 0);
    while !stopped() {
        match change(&session, &mut random, last).await {
            Ok(()) => {}
            // With the workload beside it.
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {
                session.batch_execute("ROLLBACK").await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        let is_committed = !random.one_in(4);
        session.batch_execute(if is_committed { "COMMIT" } else { "ROLLBACK" }).await?;
        committed += u32::from(is_committed);
    }
    Ok(committed)
}

/// One that is left open.
async fn change(session: &Client, random: &mut Random, last: i64) -> Result<(), Error> {
    let mut rows = || {
        let first = random.below(STRIDE) + 1;
        format!("id = ANY(ARRAY(SELECT generate_series({first}, {last}, {STRIDE})))")
    };
    let (values, texts, keys, gone) = (rows(), rows(), rows(), rows());
    session
        .batch_execute(&format!(
            "BEGIN; UPDATE orders SET amount = amount + 1 WHERE {values};
             UPDATE orders SET note = long_text(id, 90) WHERE {texts}"
        ))
        .await?;
    // Chunks are read meanwhile, before its other changes and after these.
    tokio::time::sleep(Duration::from_millis(500 + random.below(2500) as u64)).await;
    session
        .batch_execute(&format!(
            "UPDATE orders SET id = nextval('orders_id_seq') WHERE {keys}; DELETE FROM orders WHERE {gone}"
        ))
        .await
}
