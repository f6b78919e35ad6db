//! What is left of many events.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::change::{Position, RowSchema};

/// One event: operation, id and text; `None` as text of an update stands for an unchanged TOAST value.
type Line = (Op, i64, Option<&'static str>);

const READ: Op = Op::Read { last: false };

fn schema() -> SchemaRef {
    let fields = vec![Field::new("id", DataType::Int64, true), Field::new("text", DataType::Utf8, true)];
    Arc::new(Schema::new(fields))
}

fn batch(lines: &[Line], moves_key: bool) -> ChangeBatch {
    let ids = Int64Array::from_iter_values(lines.iter().map(|line| line.1));
    let texts = lines.iter().map(|line| line.2).collect::<StringArray>();
    let upsert = |op: Op| matches!(op, Op::Create | Op::Update);
    let unchanged = lines.iter().map(|line| upsert(line.0) && line.2.is_none()).collect::<BooleanBuffer>();
    // A create right behind a delete is the second half of a key change.
    let second_half = |at: usize| line_before(lines, at).is_some_and(|line| line.0 == Op::Delete);
    let event = |(offset, line): (usize, &Line)| Event {
        offset: offset as i64,
        op: line.0,
        position: Some(Position { commit_lsn: 1, lsn: offset as u64 }),
        source_ts_ms: 0,
        message_ts_ms: None,
        transaction: None,
        moves_key: moves_key && line.0 == Op::Delete,
        moved_key: moves_key && line.0 == Op::Create && second_half(offset),
    };
    ChangeBatch {
        schema: Arc::new(RowSchema { arrow: schema(), key: vec![0], warnings: vec![] }),
        rows: RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(texts)]).unwrap(),
        events: lines.iter().enumerate().map(event).collect(),
        unchanged: vec![None, Some(unchanged)],
    }
}

/// The line before, rows of a snapshot left out.
fn line_before(lines: &[Line], at: usize) -> Option<&Line> {
    lines[..at].iter().rev().find(|line| line.0 != READ)
}

fn new_fold() -> Fold {
    Fold::new(schema(), vec![0], KeyEncoder::new([DataType::Int64]).unwrap())
}

fn fold(lines: &[Line]) -> Folded {
    let mut fold = new_fold();
    fold.push(&batch(lines, true), |_| Verdict::Apply).unwrap();
    fold.take().unwrap()
}

fn texts(folded: &Folded, stored: &[(usize, ArrayRef)]) -> Vec<(i64, Option<String>)> {
    let rows = folded.rows(stored).unwrap();
    let ids = rows.column(0).as_primitive::<Int64Type>();
    let texts = rows.column(1).as_string::<i32>();
    ids.values().iter().copied().zip(texts.iter().map(|text| text.map(str::to_owned))).collect()
}

#[test]
fn rows_come_sorted_by_whole_keys_also_where_their_first_bytes_are_the_same() {
    let texts = ["the same for long, then b", "the same for long, then c", "another", "the same for long, then a", ""];
    let mut fold = Fold::new(schema(), vec![1], KeyEncoder::new([DataType::Utf8]).unwrap());
    let lines: Vec<Line> = texts.iter().map(|text| (Op::Create, 1, Some(*text))).collect();
    fold.push(&batch(&lines, false), |_| Verdict::Apply).unwrap();
    let rows = fold.take().unwrap().rows(&[]).unwrap();
    let sorted: Vec<_> = rows.column(1).as_string::<i32>().iter().flatten().collect();
    let mut expected = texts.to_vec();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
}

#[test]
fn the_last_event_of_a_key_wins_and_rows_come_sorted() {
    let lines = [
        (READ, 3, Some("c")),
        (Op::Create, 1, Some("a")),
        (Op::Update, 3, Some("cc")),
        (Op::Create, 2, Some("b")),
        (Op::Delete, 2, None),
    ];
    let mut fold = new_fold();
    fold.push(&batch(&lines, false), |_| Verdict::Apply).unwrap();
    let folded = fold.take().unwrap();
    assert_eq!(texts(&folded, &[]), [(1, Some("a".into())), (3, Some("cc".into()))]);
    assert_eq!(folded.deleted().len(), 1);
    assert_eq!(folded.counts, OpCounts { reads: 1, creates: 2, updates: 1, deletes: 1, truncates: 0 });
}

#[test]
fn an_unchanged_value_comes_from_an_earlier_event_or_else_from_the_table() {
    let folded =
        fold(&[(Op::Create, 1, Some("long")), (Op::Update, 1, None), (Op::Update, 1, None), (Op::Update, 2, None)]);
    let wanted = folded.stored_values();
    assert_eq!(wanted.len(), 1);
    assert_eq!((wanted[0].row, wanted[0].column), (1, 1));
    let stored: ArrayRef = Arc::new(StringArray::from(vec!["stored"]));
    assert_eq!(texts(&folded, &[(1, stored)]), [(1, Some("long".into())), (2, Some("stored".into()))]);
}

#[test]
fn a_value_that_nobody_has_is_lacking_until_its_row_is_deleted() {
    let mut fold = new_fold();
    fold.push(&batch(&[(Op::Create, 1, Some("long")), (Op::Update, 1, None)], false), |_| Verdict::Apply).unwrap();
    assert!(fold.stored_keys().is_empty());
    fold.push(&batch(&[(Op::Update, 2, None), (Op::Update, 2, None)], false), |_| Verdict::Apply).unwrap();
    assert_eq!(fold.stored_keys().len(), 1);
    fold.push(&batch(&[(Op::Delete, 2, None)], false), |_| Verdict::Apply).unwrap();
    assert!(fold.stored_keys().is_empty());
}

#[test]
fn a_key_change_takes_unchanged_values_from_the_row_of_the_old_key() {
    let folded = fold(&[(Op::Create, 1, Some("long")), (Op::Delete, 1, None), (Op::Create, 7, None)]);
    assert_eq!(texts(&folded, &[]), [(7, Some("long".into()))]);

    let folded = fold(&[(Op::Delete, 1, None), (Op::Create, 7, None)]);
    let wanted = folded.stored_values();
    assert_eq!(folded.deleted().next(), Some(wanted[0].key), "the old row has the value");
    assert_eq!(folded.upserted().next(), Some(wanted[0].or), "or else the new one, when this is a replay");
}

/// Takes after `first`, then folds `second`, a line of a later batch, and takes again.
fn fold_apart(first: &[Line], second: &[(Line, bool)]) -> [Folded; 2] {
    let mut fold = new_fold();
    fold.push(&batch(first, true), |_| Verdict::Apply).unwrap();
    let taken = fold.take().unwrap();
    for (line, moved_key) in second {
        let mut batch = batch(&[*line], true);
        batch.events[0].moved_key = *moved_key;
        fold.push(&batch, |_| Verdict::Apply).unwrap();
    }
    [taken, fold.take().unwrap()]
}

#[test]
fn the_first_half_of_a_key_change_stays_until_the_second_comes_and_its_row_is_committed_before() {
    let first = [(Op::Create, 1, Some("long")), (Op::Create, 2, Some("b")), (Op::Delete, 1, None)];
    let [before, after] = fold_apart(&first, &[((Op::Create, 7, None), true)]);
    assert_eq!(texts(&before, &[]), [(1, Some("long".into())), (2, Some("b".into()))]);
    assert_eq!(before.deleted().len(), 0);
    assert_eq!(before.counts, OpCounts { creates: 2, ..OpCounts::default() });
    let [old] = after.deleted().collect::<Vec<_>>()[..] else { panic!("the old key stays") };
    assert_eq!(before.upserted().next(), Some(old));
    assert_eq!(after.stored_values()[0].key, old, "the table has the value now");
    assert_eq!(after.counts, OpCounts { creates: 1, deletes: 1, ..OpCounts::default() });
}

#[test]
fn a_first_half_alone_is_nothing_to_take() {
    let mut fold = new_fold();
    fold.push(&batch(&[(Op::Delete, 1, None)], true), |_| Verdict::Apply).unwrap();
    assert!(fold.is_empty() && fold.awaits_new_key());
    assert!(fold.take().unwrap().is_empty());
    assert!(fold.awaits_new_key());
    fold.push(&batch(&[(Op::Update, 2, Some("b"))], true), |_| Verdict::Apply).unwrap();
    assert!(!fold.awaits_new_key(), "something else came: the second half was left out of the topic");
    assert_eq!(fold.take().unwrap().deleted().len(), 1);
}

#[test]
fn only_the_second_half_takes_values_of_the_old_row_and_rows_of_a_snapshot_may_come_between() {
    let between = [(Op::Create, 1, Some("long")), (Op::Delete, 1, None), (READ, 5, Some("e")), (Op::Create, 7, None)];
    assert_eq!(texts(&fold(&between), &[]), [(5, Some("e".into())), (7, Some("long".into()))]);
    let stranger = fold(&[(Op::Create, 1, Some("long")), (Op::Delete, 1, None), (Op::Update, 7, None)]);
    assert_eq!(stranger.stored_values()[0].key, stranger.upserted().next().unwrap(), "its own row has the value");
}

#[test]
fn a_first_half_that_comes_twice_keeps_the_buffered_row() {
    let lines = [(Op::Update, 1, Some("x")), (Op::Delete, 1, None), (Op::Delete, 1, None), (Op::Create, 7, None)];
    assert_eq!(texts(&fold(&lines), &[]), [(7, Some("x".into()))]);
}

#[test]
fn a_key_change_that_comes_twice_keeps_the_buffered_row() {
    let change = [(Op::Delete, 1, None), (Op::Create, 7, None)];
    let lines = [&[(Op::Update, 1, Some("x"))], change.as_slice(), change.as_slice()].concat();
    assert_eq!(texts(&fold(&lines), &[]), [(7, Some("x".into()))]);
}

#[test]
fn a_truncate_forgets_what_came_before_it() {
    let folded = fold(&[(Op::Create, 1, Some("a")), (Op::Truncate, 0, None), (Op::Create, 2, Some("b"))]);
    assert!(folded.truncate);
    assert_eq!(texts(&folded, &[]), [(2, Some("b".into()))]);
}

#[test]
fn another_snapshot_starts_over_before_its_first_row() {
    let lines = [(READ, 1, Some("a")), (READ, 2, Some("b")), (READ, 2, Some("b")), (READ, 3, Some("c"))];
    let mut fold = new_fold();
    let second = |event: &Event| if event.offset == 2 { Verdict::StartOver } else { Verdict::Apply };
    fold.push(&batch(&lines, false), second).unwrap();
    let folded = fold.take().unwrap();
    assert!(folded.truncate);
    assert_eq!(folded.counts, OpCounts { reads: 4, ..OpCounts::default() });
    assert_eq!(texts(&folded, &[]), [(2, Some("b".into())), (3, Some("c".into()))]);
}

#[test]
fn refused_events_leave_no_trace() {
    let mut fold = new_fold();
    let first = |event: &Event| if event.offset == 0 { Verdict::Apply } else { Verdict::Skip };
    fold.push(&batch(&[(Op::Create, 1, Some("a")), (Op::Delete, 1, None)], false), first).unwrap();
    assert_eq!(texts(&fold.take().unwrap(), &[]), [(1, Some("a".into()))]);
    assert!(fold.is_empty());
}

#[test]
fn rows_folded_before_a_column_appeared_have_null_in_it() {
    let mut fields = schema().fields().to_vec();
    fields.push(Arc::new(Field::new("new", DataType::Int64, true)));
    let wider: SchemaRef = Arc::new(Schema::new(fields));
    let mut fold = new_fold();
    fold.push(&batch(&[(Op::Create, 1, Some("a"))], false), |_| Verdict::Apply).unwrap();
    fold.widen(&wider).unwrap();
    fold.push(&batch(&[(Op::Create, 2, Some("b"))], false), |_| Verdict::Apply).unwrap();
    let rows = fold.take().unwrap().rows(&[]).unwrap();
    assert_eq!(rows.schema(), wider);
    assert_eq!(rows.column(2).null_count(), 2);
}

#[test]
fn a_second_half_whose_first_one_is_in_the_copy_lacks_its_values_until_the_source_supplies_them() {
    let mut fold = new_fold();
    let mut verdicts = [Verdict::Contained, Verdict::ApplyAlone].into_iter();
    let lines = [(Op::Delete, 1, None), (Op::Create, 7, None)];
    fold.push(&batch(&lines, true), |_| verdicts.next().unwrap()).unwrap();
    // Not even a row that the table has under the new key: it is an older one.
    let lacking = fold.lacking(|_| true);
    assert_eq!(lacking.len(), 1);
    let keys = fold.key_rows(&lacking).unwrap();
    assert_eq!(keys.column(0).as_primitive::<Int64Type>().values().as_ref(), [7]);

    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![3, 7])), Arc::new(StringArray::from(vec!["another", "from the source"]))];
    fold.supply(&RecordBatch::try_new(schema(), columns).unwrap(), &lacking).unwrap();
    assert_eq!(fold.lacking(|_| false), []);
    let folded = fold.take().unwrap();
    assert_eq!(texts(&folded, &[]), [(7, Some("from the source".to_owned()))]);
    assert_eq!(folded.deleted().len(), 0);
}

#[test]
fn a_first_half_whose_second_one_is_in_the_copy_is_a_delete() {
    let mut fold = new_fold();
    let mut verdicts = [Verdict::Apply, Verdict::Contained].into_iter();
    let lines = [(Op::Delete, 1, None), (Op::Create, 7, None)];
    fold.push(&batch(&lines, true), |_| verdicts.next().unwrap()).unwrap();
    assert!(!fold.awaits_new_key());
    let folded = fold.take().unwrap();
    assert_eq!((folded.deleted().len(), folded.upserted().len()), (1, 0));
}
