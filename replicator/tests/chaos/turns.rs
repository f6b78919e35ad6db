//! Who goes on next, when several do something at once: a number decides at each request, and nothing else.
//!
//! What waits for a thread of its own keeps the turn. So the order of all requests follows from the seed.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::rng::Rng;

thread_local! {
    static PASSED: Cell<bool> = const { Cell::new(false) };
}

/// Lets others come in between, if the caller runs beside them.
pub(crate) async fn pass() {
    let mut passed = false;
    poll_fn(|context| {
        if passed {
            return Poll::Ready(());
        }
        passed = true;
        PASSED.set(true);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Something that goes on beside something else.
pub(crate) type Side<T> = Pin<Box<dyn Future<Output = T>>>;

/// Runs `main` to its end, and `side` as far as it gets meanwhile. What came of `side`, if that is at its end too.
pub(crate) async fn beside<M, S>(
    rng: &mut Rng,
    main: impl Future<Output = M>,
    side: &mut Option<Side<S>>,
) -> (M, Option<S>) {
    let mut main = pin!(main);
    let (mut done, mut sides_turn) = (None, rng.chance(500));
    let main = poll_fn(|context| {
        loop {
            PASSED.set(false);
            match side.as_mut().filter(|_| sides_turn) {
                Some(running) => {
                    if let Poll::Ready(output) = running.as_mut().poll(context) {
                        (*side, done, sides_turn) = (None, Some(output), false);
                        continue;
                    }
                }
                None => {
                    if let Poll::Ready(output) = main.as_mut().poll(context) {
                        return Poll::Ready(output);
                    }
                }
            }
            if !PASSED.get() {
                return Poll::Pending;
            }
            sides_turn = rng.chance(500);
        }
    });
    (main.await, done)
}
