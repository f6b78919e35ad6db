//! The stations in this process, one after the other on one thread: decode, fold, commit to a local disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tributary_e2e::stack::{Part, Stack, StackOptions};
use tributary_replicator::change::{ChangeBatch, Fold, PartitionProgress, Progress, Verdict};
use tributary_replicator::consume::{Budget, RawBatch, RawMessage};
use tributary_replicator::decode::{Decoder, RegistryClient, RegistryConfig};
use tributary_replicator::table::{KeyedTable, TableSpec};
use url::Url;

use crate::events::{Format, Messages};
use crate::registry;
use crate::workload::Workload;

/// Keys and values of one batch, as the consumer makes them.
const BATCH_BYTES: usize = 2 << 20;
const BATCH_MESSAGES: usize = 8192;
const TOPIC: &str = "bench.parts.public.orders";

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Rows of the table.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Updates, uniformly at random over all rows.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Formats of the messages.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "json,avro")]
    format: Vec<Format>,
    /// Updates in one commit.
    #[arg(long, default_value_t = 50_000)]
    changes: u64,
}

/// Time spent in each station.
#[derive(Default)]
struct Spent {
    decode: Duration,
    fold: Duration,
    commit: Duration,
}

/// What the stations can do, one after the other on one thread.
pub(crate) struct Rates {
    updates: u64,
    spent: Spent,
    bytes: usize,
}

/// Measures and prints a line for each format.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let avro = options.format.contains(&Format::Avro);
    let stack = if avro { Some(Stack::up(StackOptions::only([Part::Registry])).await?) } else { None };
    let workload = Workload { rows: options.rows, updates: options.events };
    println!(
        "format  decode/s    fold/s  commit/s  one thread/s   bytes/event  ({} changes a commit)",
        options.changes
    );
    for &format in &options.format {
        let (messages, decoder) = source(format, workload, stack.as_ref()).await?;
        measure(&messages, decoder, workload, options.changes).await?.print(format);
    }
    Ok(())
}

/// Takes the snapshot through the stations, then the updates, and measures the updates.
pub(crate) async fn measure(
    messages: &Messages,
    decoder: Decoder,
    workload: Workload,
    changes: u64,
) -> anyhow::Result<Rates> {
    let mut stations = Stations::new(decoder)?;
    stations.apply(messages, 0..workload.rows, workload.rows.div_ceil(4)).await?;
    stations.spent = Spent::default();
    let bytes = stations.apply(messages, workload.rows..messages.len(), changes).await?;
    Ok(Rates { updates: workload.updates, spent: stations.spent, bytes })
}

impl Rates {
    fn per_second(&self, spent: Duration) -> f64 {
        self.updates as f64 / spent.as_secs_f64()
    }

    /// Updates a second that the table itself takes, given Arrow columns: folded and committed.
    pub(crate) fn table_per_second(&self) -> f64 {
        self.per_second(self.spent.fold + self.spent.commit)
    }

    fn print(&self, format: Format) {
        let Spent { decode, fold, commit } = self.spent;
        println!(
            "{:6} {:>9.0} {:>9.0} {:>9.0} {:>13.0} {:>13.0}",
            format.name(),
            self.per_second(decode),
            self.per_second(fold),
            self.per_second(commit),
            self.per_second(decode + fold + commit),
            self.bytes as f64 / self.updates as f64
        );
    }
}

/// Messages of a format and what decodes them.
pub(crate) async fn source(
    format: Format,
    workload: Workload,
    stack: Option<&Stack>,
) -> anyhow::Result<(Messages, Decoder)> {
    let Some(stack) = stack.filter(|_| format == Format::Avro) else {
        return Ok((Messages::json(workload)?, Decoder::json()));
    };
    let url = stack.addresses().registry_url();
    let (key, value) = registry::register(&url, TOPIC).await?;
    let config = RegistryConfig { url: Url::parse(&url)?, basic_auth: None, ca_pem: None, identity_pem: None };
    let client = RegistryClient::new(config)?;
    Ok((Messages::avro(workload, key, value)?, Decoder::avro(client)))
}

/// Memory that the decoded form of one update takes: what `replicator.commitSize` counts.
pub(crate) async fn decoded_bytes_per_update(
    messages: &Messages,
    decoder: &mut Decoder,
    first: u64,
) -> anyhow::Result<f64> {
    let mut offset = first;
    let raw = next_batch(&Budget::new(usize::MAX), messages, &mut offset, messages.len());
    let decoded = decoder.decode(&raw).await?;
    Ok(decoded.changes.iter().map(size).sum::<usize>() as f64 / raw.messages.len() as f64)
}

fn size(batch: &ChangeBatch) -> usize {
    batch.rows.get_array_memory_size() + size_of_val(batch.events.as_slice())
}

struct Stations {
    decoder: Decoder,
    budget: Budget,
    spec: TableSpec,
    table: Option<(KeyedTable, Fold)>,
    progress: PartitionProgress,
    spent: Spent,
    _folder: tempfile::TempDir,
}

impl Stations {
    fn new(decoder: Decoder) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = Url::parse(&format!("file://{}/orders", folder.path().display()))?;
        std::fs::create_dir(folder.path().join("orders"))?;
        let spec = TableSpec::new(url, TOPIC);
        let (budget, progress) = (Budget::new(usize::MAX), [(0, Progress::default())].into());
        Ok(Self { decoder, budget, spec, table: None, progress, spent: Spent::default(), _folder: folder })
    }

    /// Takes the messages through all stations; the memory of what was decoded, in bytes.
    async fn apply(
        &mut self,
        messages: &Messages,
        offsets: std::ops::Range<u64>,
        per_commit: u64,
    ) -> anyhow::Result<usize> {
        let (mut offset, mut pending, mut bytes) = (offsets.start, 0, 0);
        while offset < offsets.end {
            let end = offsets.end.min(offset + per_commit - pending);
            let raw = next_batch(&self.budget, messages, &mut offset, end);
            pending += raw.messages.len() as u64;
            let started = Instant::now();
            let decoded = self.decoder.decode(&raw).await?;
            self.spent.decode += started.elapsed();
            if let Some(failure) = decoded.failure {
                return Err(failure.into());
            }
            bytes += decoded.changes.iter().map(size).sum::<usize>();
            self.fold(&decoded.changes).await?;
            if pending >= per_commit || offset == offsets.end {
                pending = 0;
                self.commit().await?;
            }
        }
        Ok(bytes)
    }

    async fn fold(&mut self, changes: &[ChangeBatch]) -> anyhow::Result<()> {
        for batch in changes {
            let (_, fold) = match &mut self.table {
                Some(table) => table,
                none => {
                    let table = KeyedTable::create(&self.spec, &batch.schema).await?;
                    let columns = table.columns();
                    let fold = Fold::new(Arc::clone(columns.arrow()), columns.key().to_vec(), columns.key_encoder()?);
                    none.insert((table, fold))
                }
            };
            let progress = self.progress.entry(0).or_default();
            let started = Instant::now();
            fold.push(batch, |event| {
                let verdict = progress.judge(event);
                if verdict != Verdict::Skip {
                    progress.advance(event);
                }
                verdict
            })?;
            self.spent.fold += started.elapsed();
        }
        Ok(())
    }

    async fn commit(&mut self) -> anyhow::Result<()> {
        let Some((table, fold)) = &mut self.table else { return Ok(()) };
        let started = Instant::now();
        let folded = fold.take()?;
        self.spent.fold += started.elapsed();
        let started = Instant::now();
        table.commit(&folded, &self.progress).await?;
        drop(folded);
        self.spent.commit += started.elapsed();
        Ok(())
    }
}

/// The messages from `offset` on, as many as the consumer would hand over at a time.
fn next_batch(budget: &Budget, messages: &Messages, offset: &mut u64, end: u64) -> RawBatch {
    let (mut bytes, mut entries) = (Vec::new(), Vec::new());
    let (mut key, mut value) = (Vec::new(), Vec::new());
    while *offset < end && entries.len() < BATCH_MESSAGES && bytes.len() < BATCH_BYTES {
        messages.write(*offset, &mut key, &mut value);
        let mut append = |part: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(part);
            Some(start..bytes.len())
        };
        let (key, value) = (append(&key), append(&value));
        entries.push(RawMessage {
            offset: *offset as i64,
            timestamp_ms: None,
            key,
            value,
            moves_key: false,
            moved_key: false,
        });
        *offset += 1;
    }
    let held = budget.hold(bytes.len());
    RawBatch { topic: TOPIC.into(), partition: 0, messages: entries, placeholder: None, held, bytes }
}
