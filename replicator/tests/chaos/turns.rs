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

/// Runs `main` to its end, and `sides` as far as they get meanwhile. What came of those that are at their end too.
pub(crate) async fn beside<M, S>(
    rng: &mut Rng,
    main: impl Future<Output = M>,
    sides: &mut Vec<Side<S>>,
) -> (M, Vec<S>) {
    let mut main = pin!(main);
    let mut done = Vec::new();
    let mut turn = next_turn(rng, sides.len());
    let main = poll_fn(|context| {
        loop {
            PASSED.set(false);
            match turn {
                Some(number) => {
                    if let Poll::Ready(output) = sides[number].as_mut().poll(context) {
                        drop(sides.remove(number));
                        done.push(output);
                        turn = None;
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
            turn = next_turn(rng, sides.len());
        }
    });
    (main.await, done)
}

/// Half of the turns are those of the sides; `None` is the main one's.
fn next_turn(rng: &mut Rng, sides: usize) -> Option<usize> {
    (sides > 0 && rng.chance(500)).then(|| rng.below(sides))
}
