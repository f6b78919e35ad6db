//! What is really stored. Any number of handles, each of them a process, share one of these.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult, Result};

/// So many changes can be missing from a stale listing.
const JOURNAL: usize = 6;

/// Objects, the changes to them that are still on their way, and a clock that only the run moves. Every change is atomic.
#[derive(Debug)]
pub(crate) struct Backing {
    objects: InMemory,
    state: Mutex<State>,
    /// Milliseconds since the epoch.
    clock: AtomicI64,
}

impl Default for Backing {
    fn default() -> Self {
        let clock = Timestamp::now().as_millisecond().into();
        Self { objects: InMemory::default(), state: Mutex::default(), clock }
    }
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    journal: VecDeque<Change>,
    late: Vec<(u64, Effect)>,
    /// When each object was put, by the clock.
    put_at: HashMap<Path, i64>,
}

/// An object before it was changed.
#[derive(Debug)]
struct Change {
    path: Path,
    before: Option<ObjectMeta>,
}

/// A change whose request was answered with an error before it arrived.
#[derive(Debug)]
pub(crate) enum Effect {
    Put(Path, PutPayload, PutMode),
    Delete(Path),
}

/// What is in memory answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("an in-memory store never waits")
}

impl Backing {
    /// The time of everybody in the run.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// The same as a timestamp.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms()).unwrap()
    }

    /// When the object was put, milliseconds since the epoch; also when it is gone since.
    pub(crate) fn put_at(&self, path: &Path) -> Option<i64> {
        self.state.lock().unwrap().put_at.get(path).copied()
    }

    /// Time passes.
    pub(crate) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Another operation of anybody begins: what is due by now arrives first.
    pub(crate) fn tick(&self) {
        self.pass(1);
        let due = {
            let mut state = self.state.lock().unwrap();
            state.operations += 1;
            let now = state.operations;
            let (due, later) = std::mem::take(&mut state.late).into_iter().partition(|(at, _)| *at <= now);
            state.late = later;
            due
        };
        self.arrive(due);
    }

    /// Everything that is on its way arrives.
    pub(crate) fn settle(&self) {
        let late = std::mem::take(&mut self.state.lock().unwrap().late);
        self.arrive(late);
    }

    fn arrive(&self, late: Vec<(u64, Effect)>) {
        for (_, effect) in late {
            // Nobody waits for the answer: a put that is too late for an absent object is simply lost.
            match effect {
                Effect::Put(path, payload, mode) => drop(self.put(&path, payload, mode)),
                Effect::Delete(path) => self.delete(&path),
            }
        }
    }

    /// The change arrives after so many more operations of anybody.
    pub(crate) fn later(&self, operations: u64, effect: Effect) {
        let mut state = self.state.lock().unwrap();
        let at = state.operations + operations;
        state.late.push((at, effect));
    }

    pub(crate) fn put(&self, path: &Path, payload: PutPayload, mode: PutMode) -> Result<PutResult> {
        let before = self.head(path);
        let put = now(self.objects.put_opts(path, payload, PutOptions::from(mode)));
        if put.is_ok() {
            self.state.lock().unwrap().put_at.insert(path.clone(), self.now_ms());
            self.note(path, before);
        }
        put
    }

    pub(crate) fn delete(&self, path: &Path) {
        if let Some(before) = self.head(path) {
            now(self.objects.delete(path)).unwrap();
            self.note(path, Some(before));
        }
    }

    fn head(&self, path: &Path) -> Option<ObjectMeta> {
        now(self.objects.head(path)).ok().map(|meta| self.timed(meta))
    }

    /// With the time at which it was put by the clock of the run.
    fn timed(&self, meta: ObjectMeta) -> ObjectMeta {
        let put_at = self.state.lock().unwrap().put_at[&meta.location];
        let last_modified = SystemTime::UNIX_EPOCH + Duration::from_millis(put_at.unsigned_abs());
        ObjectMeta { last_modified: last_modified.into(), ..meta }
    }

    fn note(&self, path: &Path, before: Option<ObjectMeta>) {
        let mut state = self.state.lock().unwrap();
        state.journal.push_front(Change { path: path.clone(), before });
        state.journal.truncate(JOURNAL);
    }

    /// The store without anything that goes wrong.
    pub(crate) fn objects(&self) -> &InMemory {
        &self.objects
    }

    pub(crate) fn read(&self, path: &Path) -> Option<Bytes> {
        let got = now(self.objects.get(path)).ok()?;
        Some(now(got.bytes()).unwrap())
    }

    /// All objects below `prefix`, as they were before the last `missing` changes.
    pub(crate) fn list(&self, prefix: Option<&Path>, missing: usize) -> Vec<ObjectMeta> {
        let listed: Vec<_> = now(self.objects.list(prefix).collect());
        let mut listed: Vec<ObjectMeta> = listed.into_iter().map(|meta| self.timed(meta.unwrap())).collect();
        for change in self.state.lock().unwrap().journal.iter().take(missing) {
            let below = |prefix: &Path| change.path.prefix_match(prefix).is_some();
            if prefix.is_none_or(below) {
                listed.retain(|meta| meta.location != change.path);
                listed.extend(change.before.clone());
            }
        }
        listed.sort_by(|left, right| left.location.cmp(&right.location));
        listed
    }
}
