//! The storage as one process sees it: requests that fail, before or after they took effect, that take effect late, are
//! throttled, or list what was there a moment ago; and a process that is killed at one of them.
//!
//! Reads are never stale and a put-if-absent is atomic: S3 promises that of every object. Listings are consistent too
//! today; that nothing depends on it is what a stale one shows.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tributary_replicator::table::Clock;

use crate::backing::{Backing, Effect};
use crate::rng::Rng;
use crate::tally::Tally;
use crate::turns::pass;

/// How often something goes wrong, per mille of the requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub before: usize,
    pub after: usize,
    pub late: usize,
    pub throttled: usize,
    pub stale: usize,
    pub denied: usize,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    /// It never arrives.
    Fails,
    /// It takes effect, and the answer is lost.
    Unanswered,
    /// It is answered with an error, and takes effect after so many operations.
    Late(u64),
    /// A listing without the last changes.
    Stale(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    List,
}

/// Something that happens just before the next commit is put.
pub(crate) type Ambush = Box<dyn FnOnce(&Backing) + Send>;

/// One process's handle. Clones are the same process.
#[derive(Clone)]
pub(crate) struct FaultStore(Arc<Inner>);

struct Inner {
    backing: Arc<Backing>,
    tally: Tally,
    plan: Mutex<Plan>,
    dead: AtomicBool,
    saw_stale: AtomicBool,
}

struct Plan {
    rng: Rng,
    rates: Rates,
    /// Faults that are still to come.
    faults: usize,
    operations: u64,
    kill_at: Option<u64>,
    ambush: Option<Ambush>,
}

impl FaultStore {
    /// A process that starts now and, if so, is killed at its `kill_at`th request.
    pub(crate) fn new(backing: Arc<Backing>, tally: Tally, rng: Rng, rates: Rates, kill_at: Option<u64>) -> Self {
        let mut rng = rng;
        let faults = rng.between(5, 60);
        let plan = Mutex::new(Plan { rng, rates, faults, operations: 0, kill_at, ambush: None });
        let no = || AtomicBool::new(false);
        Self(Arc::new(Inner { backing, tally, plan, dead: no(), saw_stale: no() }))
    }

    /// The time, as everybody in the run sees it.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.backing.now()
    }

    /// A clock that shows it.
    pub(crate) fn clock(&self) -> Clock {
        let backing = Arc::clone(&self.0.backing);
        Clock::new(move || backing.now())
    }

    /// The process was killed: nothing that it still does has any effect.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.dead.load(Ordering::Relaxed)
    }

    /// A listing did not tell the truth.
    pub(crate) fn saw_stale(&self) -> bool {
        self.0.saw_stale.load(Ordering::Relaxed)
    }

    /// Has this happen just before the next commit of this process is put.
    pub(crate) fn ambush(&self, ambush: Ambush) {
        self.0.plan.lock().unwrap().ambush = Some(ambush);
    }

    pub(crate) fn take_ambush(&self) -> Option<Ambush> {
        self.0.plan.lock().unwrap().ambush.take()
    }

    /// Begins a request and says what becomes of it. Others may come in between first.
    async fn begin(&self, kind: Kind, name: &'static str) -> Result<Fate> {
        pass().await;
        if self.is_dead() {
            return Err(failure("the process was killed"));
        }
        self.0.backing.tick();
        self.0.tally.count(name);
        self.fate(kind)
    }

    fn fate(&self, kind: Kind) -> Result<Fate> {
        let mut plan = self.0.plan.lock().unwrap();
        plan.operations += 1;
        if plan.kill_at == Some(plan.operations) {
            self.0.tally.count("kills");
            self.0.dead.store(true, Ordering::Relaxed);
            return Ok(if plan.rng.chance(500) { Fate::Fails } else { Fate::Unanswered });
        }
        let fate = if plan.faults == 0 { Ok(Fate::Succeeds) } else { self.draw(&mut plan, kind) };
        if !matches!(fate, Ok(Fate::Succeeds)) {
            plan.faults -= 1;
        }
        fate
    }

    fn draw(&self, plan: &mut Plan, kind: Kind) -> Result<Fate> {
        let Rates { before, after, late, throttled, stale, denied } = plan.rates;
        let count = |fault| self.0.tally.count(fault);
        if plan.rng.chance(throttled) {
            count("faults: throttled");
            return Err(failure("503 Slow Down"));
        }
        if plan.rng.chance(denied) {
            count("faults: denied");
            let source = "403 Forbidden".into();
            return Err(Error::PermissionDenied { path: String::new(), source });
        }
        if plan.rng.chance(before) {
            count("faults: before taking effect");
            return Ok(Fate::Fails);
        }
        if kind == Kind::Write && plan.rng.chance(after) {
            count("faults: answer lost");
            return Ok(Fate::Unanswered);
        }
        if kind == Kind::Write && plan.rng.chance(late) {
            count("faults: takes effect late");
            return Ok(Fate::Late(plan.rng.between(1, 12) as u64));
        }
        if kind == Kind::List && plan.rng.chance(stale) {
            count("faults: stale listing");
            self.0.saw_stale.store(true, Ordering::Relaxed);
            return Ok(Fate::Stale(plan.rng.between(1, 4)));
        }
        Ok(Fate::Succeeds)
    }

    /// A request that reads and can therefore be lost on its way only.
    async fn begin_read(&self, path: &Path) -> Result<()> {
        match self.begin(Kind::Read, read_name(path)).await? {
            Fate::Succeeds => Ok(()),
            _ => Err(failure("connection reset")),
        }
    }

    async fn write(&self, name: &'static str, effect: Effect) -> Result<PutResult> {
        let fate = self.begin(Kind::Write, name).await?;
        let backing = &self.0.backing;
        match fate {
            Fate::Fails => return Err(failure("connection refused")),
            Fate::Late(operations) => {
                backing.later(operations, effect);
                return Err(failure("timed out"));
            }
            _ => {}
        }
        let done = match effect {
            Effect::Put(path, payload, mode) => {
                self.spring(&path, &mode);
                backing.put(&path, payload, mode)
            }
            Effect::Delete(path) => {
                backing.delete(&path);
                Ok(PutResult { e_tag: None, version: None })
            }
        };
        if fate == Fate::Unanswered { Err(failure("the answer was lost")) } else { done }
    }

    /// The ambush, if this puts a commit.
    fn spring(&self, path: &Path, mode: &PutMode) {
        if *mode == PutMode::Create
            && is_commit(path)
            && let Some(ambush) = self.take_ambush()
        {
            ambush(&self.0.backing);
        }
    }

    /// A listing; one that fails may have begun.
    async fn listing(&self, prefix: Option<Path>) -> Vec<Result<ObjectMeta>> {
        let backing = &self.0.backing;
        let all = |missing| backing.list(prefix.as_ref(), missing).into_iter().map(Ok).collect::<Vec<_>>();
        match self.begin(Kind::List, "requests: list").await {
            Err(error) => vec![Err(error)],
            Ok(Fate::Succeeds) => all(0),
            Ok(Fate::Stale(missing)) => all(missing),
            Ok(_) => {
                let mut listed = all(0);
                listed.truncate(listed.len() / 2);
                listed.push(Err(failure("connection reset")));
                listed
            }
        }
    }
}

fn failure(message: &'static str) -> Error {
    Error::Generic { store: "chaos", source: message.into() }
}

/// `_delta_log/00000000000000000007.json`
fn is_commit(path: &Path) -> bool {
    let name = path.filename().unwrap_or_default();
    is_log(path) && name.strip_suffix(".json").is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_log(path: &Path) -> bool {
    path.as_ref().starts_with("_delta_log/")
}

fn read_name(path: &Path) -> &'static str {
    if is_log(path) { "requests: get log" } else { "requests: get data" }
}

fn put_name(path: &Path) -> &'static str {
    match path.extension() {
        _ if is_commit(path) => "requests: put commit",
        _ if is_log(path) => "requests: put log",
        Some("bin") => "requests: put deletion vectors",
        _ => "requests: put data",
    }
}

impl fmt::Debug for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.write(put_name(location), Effect::Put(location.clone(), payload, options.mode)).await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload { store: self.clone(), location: location.clone(), parts: Vec::new() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.begin_read(location).await?;
        self.0.backing.objects().get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.begin_read(location).await?;
        self.0.backing.objects().get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Path| {
            let store = store.clone();
            async move {
                store.write("requests: delete", Effect::Delete(location.clone())).await?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        stream::once(async move { stream::iter(store.listing(prefix).await) }).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.begin(Kind::List, "requests: list").await? {
            Fate::Succeeds | Fate::Stale(_) => self.0.backing.objects().list_with_delimiter(prefix).await,
            _ => Err(failure("connection reset")),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copied = self.0.backing.objects().get_opts(from, GetOptions::new()).await?.bytes().await?;
        let mode = if options.mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite };
        self.write("requests: copy", Effect::Put(to.clone(), copied.into(), mode)).await.map(|_| ())
    }
}

/// Parts that become one object with the last request.
#[derive(Debug)]
struct Upload {
    store: FaultStore,
    location: Path,
    parts: Vec<Bytes>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.push(data.into());
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let whole: PutPayload = std::mem::take(&mut self.parts).into_iter().collect();
        self.store.put_opts(&self.location, whole, PutOptions::default()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        Ok(())
    }
}
