//! How a copy goes, in words.

use std::time::Duration;

/// How fast rows were copied since this process began.
pub(super) struct Speed {
    /// Rows that were there before.
    before: u64,
    /// About how many there will be.
    expected: u64,
}

impl Speed {
    pub(super) fn new(before: u64, expected: u64) -> Self {
        Self { before, expected }
    }

    /// Percent of the rows that are copied, below 100 until all are.
    pub(super) fn percent(&self, rows: u64) -> u8 {
        let percent = rows.saturating_mul(100).checked_div(self.expected).unwrap_or(0);
        percent.min(99) as u8
    }

    /// A sentence about it.
    pub(super) fn words(&self, rows: u64, elapsed: Duration) -> String {
        let speed = rows.saturating_sub(self.before) as f64 / elapsed.as_secs_f64().max(0.001);
        let expected = self.expected.max(rows);
        let known = format!("{rows} of about {expected} rows are copied, {speed:.0} a second");
        let left = (expected - rows) as f64 / speed;
        match (rows < expected, left.is_finite()) {
            (true, true) => format!("{known}; about {:.0} s are left", left.ceil()),
            (true, false) => known,
            // There may be more than the server estimates.
            (false, _) => {
                format!("{known}; the last of them, and then the changes that came meanwhile, are waited for")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_its_share() {
        let speed = Speed::new(1000, 5000);
        let words = speed.words(2000, Duration::from_secs(2));
        assert_eq!(words, "2000 of about 5000 rows are copied, 500 a second; about 6 s are left");
        assert_eq!((speed.percent(2000), speed.percent(6000), Speed::new(0, 0).percent(5)), (40, 99, 0));
        let words = speed.words(5000, Duration::from_secs(8));
        assert!(
            words.ends_with("; the last of them, and then the changes that came meanwhile, are waited for"),
            "{words}"
        );
        assert!(speed.words(4999, Duration::from_secs(8)).ends_with("; about 1 s are left"));
        assert_eq!(speed.words(1000, Duration::ZERO), "1000 of about 5000 rows are copied, 0 a second");
    }
}
