//! The table copied anew: a shadow with the rows of the source, which follows the topic a while and takes the place of the table's.

use arrow_array::{ArrayRef, RecordBatch};
use tributary_replicator::table::{ChunkWriter, KeyedTable, Shadow, Successor, WrittenChunk};

use crate::process::{End, Process, persist};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::tally::Tally;
use crate::topic::{Message, rows_after};
use crate::value::{Row, Value};

impl Process {
    /// Copies the table anew, or goes on with the copy that a process left which was killed.
    pub(crate) async fn copy_anew(
        &mut self,
        shape: &Shape,
        topic: &[Message],
        rng: &mut Rng,
        tally: &Tally,
    ) -> Result<(), End> {
        let Some(table) = &self.table else { return Ok(()) };
        let applied = table.progress().clone();
        let begun = persist!(self.store, Shadow::begin(&self.spec, "asked for", false, None))?;
        let Some(shadow) = begun else {
            // By a listing from before it was made; whoever wants a copy comes again.
            tally.count("copies anew: the table is not listed yet");
            return Ok(());
        };
        let spec = shadow.spec(&self.spec);
        let width = topic[..self.next()].iter().map(|message| message.width).max().unwrap_or(shape.first_width());
        let source = shape.source(width);
        let mut copy = match persist!(self.store, KeyedTable::open(&spec))? {
            Some(copy) => copy,
            None => persist!(self.store, KeyedTable::create(&spec, &source))?,
        };
        persist!(self.store, copy.begin_copy(&source, "begun", &applied))?;
        let rows: Vec<Row> = rows_after(topic, self.next()).into_values().collect();
        let chunk = persist!(self.store, write(&copy, shape, &rows, width))?;
        persist!(self.store, copy.commit_chunk(&chunk, "copied"))?;
        let mut follower = Self::of(self.store.clone(), spec, Some(copy));
        for _ in 0..rng.below(4) {
            follower.read(shape, topic, rng.between(1, 12)).await?;
            if follower.may_commit() {
                follower.commit(rng, tally, self.store.now()).await?;
            }
        }
        let copy = follower.table.take().expect("it was copied");
        let successor = Successor { shadow: &copy, applied: copy.progress(), record: Some("swapped") };
        if persist!(self.store, shadow.swap(&self.spec, successor, &applied))? {
            tally.count("copies anew");
            if rng.chance(500) {
                copy.leave().await;
            }
        } else {
            tally.count("copies anew: the table moved on");
        }
        Ok(())
    }
}

async fn write(
    table: &KeyedTable,
    shape: &Shape,
    rows: &[Row],
    width: usize,
) -> Result<WrittenChunk, tributary_replicator::table::TableError> {
    let mut writer = ChunkWriter::new(&table.chunk_target(), 4 << 20);
    if !rows.is_empty() {
        let value = |row: &'_ Row, column: usize| row.get(column).cloned().unwrap_or(Value::Null);
        let arrays = (0..width).map(|column| -> ArrayRef {
            let values: Vec<Value> = rows.iter().map(|row| value(row, column)).collect();
            shape.columns[column].kind.array(values.iter())
        });
        let rows = RecordBatch::try_new(shape.source(width).arrow, arrays.collect()).expect("rows of the shape");
        if let Err(error) = writer.write(&rows).await {
            writer.discard().await;
            return Err(error);
        }
    }
    writer.finish().await
}
