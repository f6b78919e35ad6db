//! How far the opening of a table is: of a large one whose key index is lost, every data file is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the data files whose keys are known. Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Opening(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    files: AtomicUsize,
    known: AtomicUsize,
}

impl Opening {
    /// Data files whose keys are known, of all; `None` before that is known and once it is done.
    pub fn progress(&self) -> Option<(usize, usize)> {
        let (known, files) = (self.0.known.load(Relaxed), self.0.files.load(Relaxed));
        (known < files).then_some((known, files))
    }

    pub(super) fn begin(&self, files: usize) {
        self.0.known.store(0, Relaxed);
        self.0.files.store(files, Relaxed);
    }

    pub(super) fn one_more(&self) {
        self.0.known.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_from_the_first_file_to_the_last() {
        let opening = Opening::default();
        assert_eq!(opening.progress(), None);
        opening.begin(2);
        assert_eq!(opening.clone().progress(), Some((0, 2)));
        opening.one_more();
        assert_eq!(opening.progress(), Some((1, 2)));
        opening.one_more();
        assert_eq!(opening.progress(), None);
    }
}
