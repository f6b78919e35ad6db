//! That a copy in chunks and the changes that they do not contain are the table: nothing twice, nothing left out, whichever
//! transactions run while it is made.

mod changes;
mod copier;
mod writers;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use tributary_sources::postgres::{KeyValue, Range};

use self::changes::{Change, Rows};
use self::copier::{Chunk, Copier};
use super::Source;

/// Of each of eight sessions.
const TRANSACTIONS: usize = 250;

/// How many verdicts were what.
#[derive(Debug, Default)]
struct Counts {
    chunks: usize,
    skipped: usize,
    applied: usize,
    /// Transactions that were open when a chunk was read, once for each chunk in which they changed rows.
    open: usize,
    /// Applied although the commit was in the log before the chunk was read.
    in_the_log: usize,
    /// Transactions that one chunk of a copy contains and another one does not, with rows in both.
    across: usize,
}

/// What happened while tables were copied.
struct Course {
    changes: Vec<Change>,
    copies: Vec<Vec<Chunk>>,
    end: Rows,
}

/// Copies as often as it can, by two sessions, for as long as others write.
async fn run(source: &Source) -> Course {
    let is_over = Cell::new(false);
    let writing = async {
        let ends = writers::run(source, TRANSACTIONS).await;
        is_over.set(true);
        ends
    };
    let copying = join_all((1..=2).map(async |seed| {
        let (mut copier, mut copies) = (Copier::past_the_barrier(source, seed).await, Vec::new());
        while !is_over.get() {
            copies.push(copier.copy().await);
        }
        copies
    }));
    let (ends, copies) = tokio::join!(Box::pin(writing), Box::pin(copying));
    println!("{ends:?}");
    assert!(ends.committed > 500 && ends.rolled_back > 50 && ends.prepared > 50 && ends.late > 50, "{ends:?}");
    let end = Copier::past_the_barrier(source, 0).await.chunk(&Range::default(), u64::from(u32::MAX)).await.rows;
    Course { changes: Change::all(source).await, copies: copies.into_iter().flatten().collect(), end }
}

impl Course {
    fn of<'a>(&'a self, chunk: &'a Chunk) -> impl Iterator<Item = &'a Change> {
        self.changes.iter().filter(|change| chunk.range.contains(&KeyValue::Integer(change.id)))
    }

    /// Follows one chunk to the end: the changes that it contains made its rows, and the others make those of the end.
    fn follow(&self, chunk: &Chunk, counts: &mut Counts) {
        let (mut contained, mut followed) = (Rows::new(), chunk.rows.clone());
        for change in self.of(chunk) {
            if chunk.snapshot.contains(change.transaction) {
                change.apply(&mut contained);
                counts.skipped += 1;
            } else {
                change.apply(&mut followed);
                counts.applied += 1;
                counts.in_the_log += usize::from(change.committed <= chunk.after);
            }
        }
        let at_the_end = self.end.iter().map(|(id, n)| (*id, *n));
        let at_the_end: Rows = at_the_end.filter(|(id, _)| chunk.range.contains(&KeyValue::Integer(*id))).collect();
        assert_eq!(followed, at_the_end, "{:?} at {} becomes other rows", chunk.range, chunk.snapshot);
        assert_eq!(contained, chunk.rows, "{:?} at {} has other rows", chunk.range, chunk.snapshot);
        counts.chunks += 1;
    }

    /// Each transaction is judged as the rows that it left say.
    fn judge(&self, chunk: &Chunk, counts: &mut Counts) {
        for transaction in self.of(chunk).map(|change| change.transaction).collect::<HashSet<_>>() {
            let contained = chunk.snapshot.contains(transaction);
            assert_eq!(contained, chunk.seen.contains(&transaction), "{transaction} in {}", chunk.snapshot);
            counts.open += usize::from(!contained && u64::from(transaction) < chunk.snapshot.xmax());
        }
    }

    fn across(&self, copy: &[Chunk]) -> usize {
        let mut verdicts: HashMap<u32, HashSet<bool>> = HashMap::new();
        for chunk in copy {
            for Change { transaction, .. } in self.of(chunk) {
                verdicts.entry(*transaction).or_default().insert(chunk.snapshot.contains(*transaction));
            }
        }
        verdicts.values().filter(|verdicts| verdicts.len() == 2).count()
    }
}

#[tokio::test]
async fn each_chunk_with_the_changes_that_it_does_not_contain_becomes_the_table_as_it_is_at_the_end() {
    let source = Source::start(&writers::SETTINGS).await;
    source.sql(writers::TABLES).await;
    source.sql("SELECT pg_create_logical_replication_slot('truth', 'test_decoding')").await;
    let course = run(&source).await;
    let mut counts = Counts::default();
    for copy in &course.copies {
        for chunk in copy {
            course.follow(chunk, &mut counts);
            course.judge(chunk, &mut counts);
        }
        counts.across += course.across(copy);
    }
    println!("{} changes, {} copies: {counts:?}", course.changes.len(), course.copies.len());
    assert!(counts.chunks > 50 && counts.skipped > 10_000 && counts.applied > 10_000, "{counts:?}");
    assert!(counts.open > 50 && counts.in_the_log > 50 && counts.across > 50, "{counts:?}");
}
