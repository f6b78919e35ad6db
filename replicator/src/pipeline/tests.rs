//! The writer with a real Delta table in a directory; what it is told stands in for the decoder.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema};
use jiff::Timestamp;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use super::buffer::LastMessage;
use super::decoding::Step;
use super::*;
use crate::change::{ChangeBatch, Event, Op, Position, RowSchema};
use crate::consume::{Budget, KafkaClient, Share};
use crate::decode::{DecodeErrorKind, Decoded};
use crate::report::{Board, Resyncs};
use crate::table::Shadow;

const NEVER: CommitLimits = CommitLimits { interval: Duration::from_hours(1), bytes: usize::MAX };
const AT_ONCE: CommitLimits = CommitLimits { interval: Duration::from_hours(1), bytes: 1 };
const PATIENCE: Duration = Duration::from_secs(20);

/// One event: operation, id and text; no text in a create or update means that it was left out.
type Line = (Op, i64, Option<&'static str>);

struct Station {
    directory: TempDir,
    _kafka: MockCluster<'static, DefaultProducerContext>,
    share: Share,
    board: Board,
    stop: CancellationToken,
    steps: mpsc::UnboundedSender<Step>,
    writer: JoinHandle<Result<(), PipelineError>>,
    offset: i64,
}

impl Station {
    fn new(limits: CommitLimits) -> Self {
        Self::on(tempfile::tempdir().unwrap(), limits)
    }

    fn on(directory: TempDir, limits: CommitLimits) -> Self {
        let (kafka, budget) = (MockCluster::new(1).unwrap(), Budget::new(64 << 20));
        let consumer = consumer(&kafka, &budget);
        let (share, board, stop) = (budget.share(), Board::new(budget), CancellationToken::new());
        let (steps, received) = mpsc::unbounded_channel();
        let spec = spec(&directory);
        let (report, writer_share, writer_stop) = (board.table("t", "t"), share.clone(), stop.clone());
        let writer = tokio::spawn(async move {
            let table = KeyedTable::open(&spec).await?;
            let pipeline = Pipeline { limits, ..pipeline(spec, consumer, report, writer_stop) };
            Writer::new(pipeline, writer_share, table).run(received).await.map(drop)
        });
        Self { directory, _kafka: kafka, share, board, stop, steps, writer, offset: 0 }
    }

    /// Hands batches on, and a message behind them that cannot be decoded if `damaged`.
    fn send(&mut self, batches: Vec<ChangeBatch>, damaged: bool) {
        let end = batches.last().and_then(|batch| batch.events.last()).map_or(self.offset, |event| event.offset + 1);
        self.offset = end;
        let failure = damaged.then(|| DecodeError {
            topic: "t".into(),
            partition: 0,
            offset: end,
            kind: DecodeErrorKind::Damaged,
        });
        let decoded = Decoded { changes: batches, next_offset: end, failure };
        let last = Some(LastMessage { timestamp_ms: Some(end + 999) });
        self.steps.send(Step::Decoded { partition: 0, decoded, last, held: self.share.hold(100) }).unwrap();
    }

    /// Messages that change nothing.
    fn send_nothing(&mut self, messages: i64) {
        self.offset += messages;
        let decoded = Decoded { changes: vec![], next_offset: self.offset, failure: None };
        let last = Some(LastMessage { timestamp_ms: Some(self.offset + 999) });
        self.steps.send(Step::Decoded { partition: 0, decoded, last, held: self.share.hold(0) }).unwrap();
    }

    /// A batch at the next offsets. The table says in a warning that it was folded.
    fn batch(&self, warning: &str, lines: &[Line]) -> ChangeBatch {
        batch(self.offset, warning, lines)
    }

    async fn until_folded(&self, warning: &str) {
        self.until(|board| board.tables(Timestamp::now())[0].warnings == [warning]).await;
    }

    async fn until(&self, condition: impl Fn(&Board) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !condition(&self.board) {
                assert!(!self.writer.is_finished(), "it has ended");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        waited.await.expect("it never happens");
    }

    /// Tells the writer to stop.
    async fn end(self) -> (TempDir, Result<(), PipelineError>) {
        self.stop.cancel();
        self.ended().await
    }

    async fn ended(self) -> (TempDir, Result<(), PipelineError>) {
        let result = tokio::time::timeout(PATIENCE, self.writer).await.expect("it does not end").unwrap();
        (self.directory, result)
    }
}

fn consumer(kafka: &MockCluster<'static, DefaultProducerContext>, budget: &Budget) -> Consumer {
    let client = KafkaClient { bootstrap_servers: kafka.bootstrap_servers(), options: vec![], group_id: "t".into() };
    Consumer::start(&client, budget.clone()).unwrap()
}

/// One that does not read the database.
fn pipeline(spec: TableSpec, consumer: Consumer, report: TableHandle, stop: CancellationToken) -> Pipeline {
    let (limits, resyncs) = (CommitLimits { interval: PATIENCE, bytes: 1 << 20 }, Resyncs::default());
    let on_source_change = OnSourceChange::Resync;
    Pipeline { spec, source: None, consumer, limits, until: None, on_source_change, resyncs, report, stop }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_has_to_be_copied_anew_is_not_followed_when_nobody_reads_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let source = batch(0, "", &[(Op::Create, 1, Some("a"))]).schema;
    KeyedTable::create(&spec(&directory), &source).await.unwrap();
    Shadow::begin(&spec(&directory), "a column was renamed", true, None).await.unwrap();
    let (kafka, budget) = (MockCluster::new(1).unwrap(), Budget::new(64 << 20));
    let report = Board::new(budget.clone()).table("t", "t");
    let pipeline = pipeline(spec(&directory), consumer(&kafka, &budget), report, CancellationToken::new());
    let run = pipeline.run(|| Ok(Decoder::json()));
    let error = tokio::time::timeout(PATIENCE, run).await.expect("it goes on").unwrap_err().to_string();
    assert!(error.contains("(a column was renamed)") && error.contains("copy.connections is 0"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_a_copy_anew_is_refused_in_a_warning_when_nobody_reads_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let source = batch(0, "", &[(Op::Create, 1, Some("a"))]).schema;
    KeyedTable::create(&spec(&directory), &source).await.unwrap();
    let (kafka, budget, stop) = (MockCluster::new(1).unwrap(), Budget::new(64 << 20), CancellationToken::new());
    let report = Board::new(budget.clone()).table("t", "t");
    let pipeline = pipeline(spec(&directory), consumer(&kafka, &budget), report.clone(), stop.clone());
    pipeline.resyncs.ask("t", "1");
    let run = tokio::spawn(pipeline.run(|| Ok(Decoder::json())));
    let warned = async {
        while !report.state().warnings.iter().any(|warning| warning.contains("tributary.dev/resync")) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, warned).await.expect("it is ignored without a word");
    stop.cancel();
    run.await.unwrap().unwrap();
}

fn spec(directory: &TempDir) -> TableSpec {
    let url = Url::from_directory_path(directory.path()).unwrap();
    TableSpec::new(url, "t")
}

fn batch(first: i64, warning: &str, lines: &[Line]) -> ChangeBatch {
    let fields = vec![Field::new("id", DataType::Int64, true), Field::new("text", DataType::Utf8, true)];
    let arrow = Arc::new(Schema::new(fields));
    let ids = Int64Array::from_iter_values(lines.iter().map(|line| line.1));
    let texts = lines.iter().map(|line| line.2).collect::<StringArray>();
    let left_out = |line: &Line| matches!(line.0, Op::Create | Op::Update) && line.2.is_none();
    let unchanged = lines.iter().map(left_out).collect::<BooleanBuffer>();
    let event = |(offset, line): (i64, &Line)| Event {
        offset,
        op: line.0,
        position: Some(Position { commit_lsn: 1, lsn: 100 + offset as u64 }),
        source_ts_ms: 7,
        message_ts_ms: Some(offset + 1000),
        transaction: None,
        // Key 1 becomes key 7.
        moves_key: line.0 == Op::Delete && line.1 == 1,
        moved_key: line.0 == Op::Create && line.1 == 7,
    };
    ChangeBatch {
        rows: RecordBatch::try_new(Arc::clone(&arrow), vec![Arc::new(ids), Arc::new(texts)]).unwrap(),
        schema: Arc::new(RowSchema { arrow, key: vec![0], warnings: vec![warning.to_owned()] }),
        events: (first..).zip(lines).map(event).collect(),
        unchanged: vec![None, Some(unchanged)],
    }
}

/// Rows of the table, and how far its log says that the topic was applied.
async fn table(directory: &TempDir) -> (u64, Progress) {
    let table = KeyedTable::open(&spec(directory)).await.unwrap().expect("there is no table");
    (table.rows(), table.progress().get(&0).copied().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_buffered_is_committed_when_it_is_told_to_stop() {
    let mut station = Station::new(NEVER);
    station.send(vec![station.batch("first", &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))])], false);
    station.until_folded("first").await;
    let (directory, result) = station.end().await;
    result.unwrap();
    let (rows, progress) = table(&directory).await;
    assert_eq!((rows, progress.next_offset, progress.message_ts_ms), (2, 2, Some(1001)));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_change_nothing_are_in_the_log_when_it_is_told_to_stop_and_it_commits_nothing_twice() {
    let mut station = Station::new(AT_ONCE);
    station.send(vec![station.batch("first", &[(Op::Create, 1, Some("a"))])], false);
    station.until(|board| board.tables(Timestamp::now())[0].commits == 1).await;
    station.send_nothing(3);
    let mut replayed = batch(4, "replayed", &[(Op::Create, 1, Some("a"))]);
    replayed.events[0].position = Some(Position { commit_lsn: 1, lsn: 1 });
    station.send(vec![replayed], false);
    station.until_folded("replayed").await;
    let (directory, result) = station.end().await;
    result.unwrap();
    let (rows, progress) = table(&directory).await;
    assert_eq!((rows, progress.next_offset, progress.message_ts_ms), (1, 5, Some(1004)));
    let again = Station::on(directory, AT_ONCE);
    let (directory, result) = again.end().await;
    result.unwrap();
    let version = KeyedTable::open(&spec(&directory)).await.unwrap().unwrap().version();
    assert_eq!(version, 2, "made, filled, and how far it was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_message_that_cannot_be_decoded_is_committed() {
    let mut station = Station::new(NEVER);
    station.send(vec![station.batch("first", &[(Op::Create, 1, Some("a"))])], true);
    let (directory, result) = station.ended().await;
    assert!(matches!(result, Err(PipelineError::Decode(DecodeError { offset: 1, .. }))), "{result:?}");
    assert_eq!(table(&directory).await.1.next_offset, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_column_that_changed_its_type_is_committed_and_the_log_knows_its_last_message() {
    let mut station = Station::new(NEVER);
    let good = station.batch("first", &[(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b"))]);
    let mut other = batch(2, "other", &[(Op::Create, 3, Some("c"))]);
    let fields = vec![Field::new("id", DataType::Int64, true), Field::new("text", DataType::Int64, true)];
    let arrow = Arc::new(Schema::new(fields));
    let column = || Arc::new(Int64Array::from(vec![3]));
    other.rows = RecordBatch::try_new(Arc::clone(&arrow), vec![column(), column()]).unwrap();
    other.schema = Arc::new(RowSchema { arrow, key: vec![0], warnings: vec![] });
    station.send(vec![good, other], false);
    let (directory, result) = station.ended().await;
    assert!(matches!(result, Err(PipelineError::Table(TableError::ColumnType { .. }))), "{result:?}");
    let (rows, progress) = table(&directory).await;
    assert_eq!((rows, progress.next_offset, progress.message_ts_ms), (2, 2, Some(1001)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_between_the_halves_of_a_key_change_takes_all_but_the_first_half() {
    let mut station = Station::new(AT_ONCE);
    station.send(vec![station.batch("first", &[(Op::Create, 1, Some("long")), (Op::Delete, 1, None)])], false);
    station.until(|board| board.tables(Timestamp::now())[0].commits == 1).await;
    let (directory, result) = station.end().await;
    result.unwrap();
    let (rows, progress) = table(&directory).await;
    assert_eq!((rows, progress.next_offset, progress.message_ts_ms), (1, 1, Some(1000)), "the first half comes again");

    let mut station = Station::on(directory, AT_ONCE);
    station.offset = 1;
    station.send(vec![station.batch("again", &[(Op::Delete, 1, None)])], false);
    station.until_folded("again").await;
    station.send(vec![station.batch("second", &[(Op::Create, 7, None)])], false);
    station.until(|board| board.tables(Timestamp::now())[0].commits == 1).await;
    let (directory, result) = station.end().await;
    result.unwrap();
    let (rows, progress) = table(&directory).await;
    assert_eq!((rows, progress.next_offset), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_value_is_nowhere_waits_for_the_delete_of_its_row() {
    let mut station = Station::new(AT_ONCE);
    station.send(vec![station.batch("first", &[(Op::Update, 77, None)])], false);
    station.until_folded("first").await;
    station.send(vec![station.batch("second", &[(Op::Delete, 77, None)])], false);
    station.until(|board| board.tables(Timestamp::now())[0].commits == 1).await;
    let (directory, result) = station.end().await;
    result.unwrap();
    assert_eq!(table(&directory).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_yet_to_be_read_from_the_table_count_as_if_they_were_large() {
    let mut station = Station::new(NEVER);
    let rows = [(Op::Create, 1, Some("a")), (Op::Create, 2, Some("b")), (Op::Create, 3, Some("c"))];
    station.send(vec![station.batch("first", &rows)], false);
    station.until_folded("first").await;
    let (directory, result) = station.end().await;
    result.unwrap();
    let limits = CommitLimits { bytes: 2 << 20, ..NEVER };
    let mut station = Station::on(directory, limits);
    station.offset = 3;
    station.send(vec![station.batch("one", &[(Op::Update, 1, None)])], false);
    let share = station.share.clone();
    station.until(|_| share.used() > 1 << 20).await;
    station.send(vec![station.batch("two", &[(Op::Update, 2, None)])], false);
    station.until(|board| board.tables(Timestamp::now())[0].commits == 1).await;
    // They are given back.
    station.until(|_| share.used() == 0).await;
    station.send(vec![station.batch("three", &[(Op::Update, 1, None), (Op::Update, 3, None)])], false);
    station.until(|_| share.used() > 1000).await;
    assert!(share.used() < 2 << 20, "after some were read it is known how large they are: {}", share.used());
    let (directory, result) = station.end().await;
    result.unwrap();
    assert_eq!(table(&directory).await.1.next_offset, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_ends_is_an_error() {
    let Station { steps, writer, _kafka, directory: _directory, .. } = Station::new(NEVER);
    drop(steps);
    let result = tokio::time::timeout(PATIENCE, writer).await.expect("it does not end").unwrap();
    assert!(matches!(result, Err(PipelineError::Internal(_))), "{result:?}");
}
