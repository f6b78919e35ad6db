//! Holds every version of a table against what must be in it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, ensure};

use crate::backing::Backing;
use crate::checkpoint;
use crate::log::{self, Snapshot};
use crate::process::TOPIC;
use crate::reader::Reader;
use crate::shape::Shape;
use crate::topic::{Message, Rows, rows_after};
use crate::value::{Row, Value};

/// What a version has too few or too many of.
#[derive(Debug, Default)]
struct Difference {
    lost: usize,
    doubled: usize,
    wrong: usize,
    unasked: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, wrong, unasked } = self;
        write!(f, "rows lost {lost}, doubled {doubled}, with wrong values {wrong}, that should not be there {unasked}")
    }
}

/// Reads version after version, each of them once, while it is there.
pub(crate) struct Checker<'a> {
    backing: &'a Backing,
    shape: &'a Shape,
    topic: &'a [Message],
    reader: Reader<'a>,
    /// What was read, by version.
    read: Vec<Snapshot>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(backing: &'a Backing, shape: &'a Shape, topic: &'a [Message]) -> Self {
        Self { backing, shape, topic, reader: Reader::new(backing), read: Vec::new() }
    }

    /// Checks the versions up to `last` that were not checked before. Says how many there are in all.
    pub(crate) fn check_to(&mut self, last: u64) -> Result<u64> {
        for version in self.read.len() as u64..=last {
            let snapshot = self.check(version).with_context(|| format!("version {version}"))?;
            self.read.push(snapshot);
        }
        Ok(self.read.len() as u64)
    }

    fn check(&mut self, version: u64) -> Result<Snapshot> {
        let actions = log::actions(self.backing, version)?.context("it is missing")?;
        let before = self.read.last().cloned().unwrap_or_default();
        let snapshot = before.next(version, &actions)?;
        let offset = before.next_offset(TOPIC);
        ensure!(snapshot.next_offset(TOPIC) >= offset, "the progress went back from {offset}");
        check_rows(&mut self.reader, self.shape, self.topic, &snapshot)?;
        Ok(snapshot)
    }

    /// What is in the storage now still gives every version from `first` on, as it was: by the checkpoints where commits
    /// are gone.
    pub(crate) fn check_history(&self, first: u64) -> Result<()> {
        let mut reader = Reader::new(self.backing);
        for version in checkpoint::versions(self.backing) {
            let snapshot = checkpoint::read(self.backing, version)?;
            self.same(&snapshot).with_context(|| format!("the checkpoint of version {version}"))?;
        }
        for version in first as usize..self.read.len() {
            let read = checkpoint::table_at(self.backing, version as u64).and_then(|snapshot| {
                self.same(&snapshot)?;
                check_rows(&mut reader, self.shape, self.topic, &snapshot)
            });
            read.with_context(|| format!("version {version} is not readable any more, though its history is kept"))?;
        }
        Ok(())
    }

    /// Whether this is what was read when the version was new.
    fn same(&self, snapshot: &Snapshot) -> Result<()> {
        let read = self.read.get(snapshot.version as usize).context("it was never committed")?;
        ensure!(snapshot.identities() == read.identities(), "it has other files: {:?}", snapshot.identities());
        ensure!(snapshot.transactions == read.transactions, "it has another progress");
        ensure!(snapshot.columns()? == read.columns()?, "it has other columns");
        Ok(())
    }
}

/// Whether the version holds exactly what the messages before its progress say.
fn check_rows(reader: &mut Reader, shape: &Shape, topic: &[Message], version: &Snapshot) -> Result<()> {
    let rows = in_source_columns(shape, version, &reader.rows(version)?)?;
    let mut by_key: BTreeMap<Row, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row[..shape.key].to_vec()).or_default().push(row);
    }
    let offset = version.next_offset(TOPIC);
    ensure!(offset <= topic.len(), "the progress {offset} is beyond the topic");
    compare(&rows_after(topic, offset), &by_key, shape.columns.len())
        .with_context(|| format!("at offset {offset}, committed by {}", version.commit_info))
}

fn compare(expected: &Rows, found: &BTreeMap<Row, Vec<Row>>, width: usize) -> Result<()> {
    let (mut difference, mut first) = (Difference::default(), None);
    for (key, row) in expected {
        let mut row = row.clone();
        row.resize(width, Value::Null);
        let found = found.get(key).map(Vec::as_slice).unwrap_or_default();
        match found {
            [] => difference.lost += 1,
            [only] if *only == row => continue,
            [_] => difference.wrong += 1,
            _ => difference.doubled += 1,
        }
        first.get_or_insert_with(|| format!("expected {row:?}, found {found:?}"));
    }
    for (key, rows) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
        difference.unasked += rows.len();
        first.get_or_insert_with(|| format!("unexpected {key:?}: {rows:?}"));
    }
    ensure!(first.is_none(), "{difference}; first: {}", first.unwrap_or_default());
    Ok(())
}

/// Rows in the columns of the source: null where the table has none yet. Columns of others hold nothing.
fn in_source_columns(shape: &Shape, version: &Snapshot, rows: &[Row]) -> Result<Vec<Row>> {
    let columns = version.columns()?;
    let at = |name: &str| columns.iter().position(|(column, _)| column == name);
    let own: Vec<Option<usize>> = shape.columns.iter().map(|column| at(&column.name)).collect();
    let foreign: Vec<usize> = (0..columns.len()).filter(|at| !own.contains(&Some(*at))).collect();
    ensure!(own[..shape.first_width()].iter().all(Option::is_some), "a column is gone");
    let filled = rows.iter().any(|row| foreign.iter().any(|&at| row[at] != Value::Null));
    ensure!(!filled, "a column that is not the source's holds values");
    let pick = |row: &Row| own.iter().map(|at| at.map_or(Value::Null, |at| row[at].clone())).collect();
    Ok(rows.iter().map(pick).collect())
}
