//! What the runs met, added up: what was asked of the storage, what was broken, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Counters by name, shared by everybody who takes part in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Tally {
    pub(crate) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &'static str, number: u64) {
        *self.0.lock().unwrap().entry(what).or_default() += number;
    }

    pub(crate) fn merge(&self, other: &Self) {
        for (what, number) in other.0.lock().unwrap().iter() {
            self.add(what, *number);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock().unwrap();
        let texts: Vec<String> = counts.iter().map(|(what, number)| format!("{what} {number}")).collect();
        f.write_str(&texts.join(", "))
    }
}
