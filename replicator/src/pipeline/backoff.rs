//! Trying again: how long to wait before, and what can be tried again at all.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::PipelineError;
use crate::policy::Policy;
use crate::report::{TableHandle, describe};
use crate::table::TableError;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);

/// Delays that double from 200 ms to 10 s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The next delay.
    pub(crate) fn next(&mut self) -> Duration {
        let delay = self.0;
        self.0 = (delay * 2).min(LONGEST);
        delay
    }

    /// How long to wait after `error`, which is told; an error that does not pass by itself is given back.
    pub(crate) fn after(&mut self, error: PipelineError, report: &TableHandle) -> Result<Duration, PipelineError> {
        let policy = Policy::of(&error);
        if !policy.is_transient() {
            return Err(error);
        }
        report.retrying(policy, &describe(&error));
        Ok(self.next())
    }
}

/// Repeats what can succeed by itself, and says what it waits for; `None` when told to stop.
pub(super) async fn retry<T, F>(
    report: &TableHandle,
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<Option<T>, PipelineError>
where
    F: Future<Output = Result<T, TableError>>,
{
    let mut backoff = Backoff::new();
    loop {
        let Some(result) = stop.run_until_cancelled(attempt()).await else { return Ok(None) };
        let pause = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) => backoff.after(error.into(), report)?,
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_bound() {
        let mut backoff = Backoff::new();
        let delays: Vec<_> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    }
}
