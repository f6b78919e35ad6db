//! The disk of the key index: of some runs only, and lost or damaged between two processes.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::rng::Rng;
use crate::tally::Tally;

/// The directory that the processes of a run have one after the other.
pub(crate) struct IndexDisk {
    directory: Option<TempDir>,
    damaged: bool,
}

impl IndexDisk {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        Self { directory: rng.chance(250).then(|| tempfile::tempdir().unwrap()), damaged: false }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.directory.as_ref().map(TempDir::path)
    }

    /// An error of the index is no wonder.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// What may happen to it while no process runs. Files have other names in each run of a seed, so it happens to all.
    pub(crate) fn suffer(&mut self, rng: &mut Rng, tally: &Tally) {
        let Some(directory) = &self.directory else { return };
        if rng.chance(150) {
            tally.count("index: lost");
            for entry in fs::read_dir(directory.path()).unwrap() {
                fs::remove_dir_all(entry.unwrap().path()).unwrap();
            }
        } else if rng.chance(300) {
            tally.count("index: damaged");
            self.damaged = true;
            let (at, cut) = (rng.below(10_000), rng.chance(200));
            for table in fs::read_dir(directory.path()).unwrap() {
                for run in fs::read_dir(table.unwrap().path()).unwrap() {
                    damage(&run.unwrap().path(), at, cut);
                }
            }
        }
    }
}

/// Another byte at a place that `at` decides, or an end that is missing.
fn damage(run: &Path, at: usize, cut: bool) {
    let mut bytes = fs::read(run).unwrap();
    if bytes.is_empty() {
        return;
    }
    let at = at % bytes.len();
    bytes[at] ^= 0x10;
    bytes.truncate(if cut { at } else { bytes.len() });
    fs::write(run, bytes).unwrap();
}
