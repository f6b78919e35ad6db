//! What kind of table a run is about: its columns, key and partitions.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use tributary_replicator::change::RowSchema;
use tributary_replicator::table::Writes;

use crate::rng::Rng;
use crate::value::{Kind, Value};

/// How many columns can be added while a run lasts.
pub(crate) const ADDED: usize = 3;

/// A column of the source.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub name: String,
    pub kind: Kind,
    /// Large enough to be left out of updates that do not change it.
    pub toast: bool,
}

/// A table of the source.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Key columns first; the last [`ADDED`] come later.
    pub columns: Vec<Column>,
    pub key: usize,
    pub partition_by: Vec<String>,
    pub cluster_by: Vec<String>,
    pub writes: Writes,
    pub target_file_bytes: u64,
    /// How many values each key column can have.
    pub spread: usize,
}

const KEYS: [&[Kind]; 7] = [
    &[Kind::Int64],
    &[Kind::Text],
    &[Kind::Int32, Kind::Text],
    &[Kind::Date, Kind::Decimal],
    &[Kind::Int64, Kind::Date],
    &[Kind::Time, Kind::Int32],
    &[Kind::Decimal],
];

impl Shape {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let kinds = if rng.chance(500) { KEYS[0] } else { *rng.pick(&KEYS) };
        let mut columns: Vec<Column> =
            kinds.iter().enumerate().map(|(at, kind)| column(&format!("k{at}"), *kind)).collect();
        columns.push(column("part", *rng.pick(&[Kind::Text, Kind::Date, Kind::Int64])));
        columns.push(column("number", Kind::Int64));
        columns.push(Column { toast: true, ..column("text", Kind::Text) });
        columns.push(Column { toast: true, ..column("document", Kind::Text) });
        for (at, kind) in [Kind::Int64, Kind::Text, Kind::Date].into_iter().enumerate() {
            columns.push(column(&format!("added{at}"), kind));
        }
        let partition_by = match rng.below(8) {
            0 | 1 => vec!["part".to_owned()],
            2 => vec![columns[0].name.clone()],
            _ => vec![],
        };
        let cluster_by = if rng.chance(300) { vec!["number".to_owned(), "part".to_owned()] } else { vec![] };
        let writes = if rng.chance(250) { Writes::CopyOnWrite } else { Writes::DeletionVectors };
        let target_file_bytes = *rng.pick(&[1, 4 << 10, 64 << 10, 128 << 20]);
        let spread = if kinds.len() == 1 { rng.between(3, 40) } else { rng.between(2, 6) };
        Self { columns, key: kinds.len(), partition_by, cluster_by, writes, target_file_bytes, spread }
    }

    /// A table of one number as key.
    pub(crate) fn plain() -> Self {
        let columns = vec![column("k0", Kind::Int64), Column { toast: true, ..column("text", Kind::Text) }];
        let added = (0..ADDED).map(|at| column(&format!("added{at}"), Kind::Text));
        Self {
            columns: columns.into_iter().chain(added).collect(),
            key: 1,
            partition_by: vec![],
            cluster_by: vec![],
            writes: Writes::DeletionVectors,
            target_file_bytes: 128 << 20,
            spread: 8,
        }
    }

    /// The columns before any was added.
    pub(crate) fn first_width(&self) -> usize {
        self.columns.len() - ADDED
    }

    /// The first `width` columns as the decoder names them.
    pub(crate) fn source(&self, width: usize) -> RowSchema {
        let fields = self.columns[..width].iter().map(|column| Field::new(&column.name, column.kind.arrow(), true));
        let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RowSchema { arrow, key: (0..self.key).collect(), warnings: vec![] }
    }

    pub(crate) fn random_key(&self, rng: &mut Rng) -> Vec<Value> {
        self.columns[..self.key].iter().map(|column| key_value(column.kind, rng.below(self.spread))).collect()
    }

    /// A value of a column that is not in the key.
    pub(crate) fn random_value(&self, column: usize, rng: &mut Rng) -> Value {
        let Column { name, kind, toast } = &self.columns[column];
        if rng.chance(100) {
            return Value::Null;
        }
        match kind {
            _ if name == "part" => part_value(*kind, rng.below(3)),
            Kind::Text if *toast => Value::Text(format!("{:016x}", rng.next()).repeat(rng.between(1, 4))),
            Kind::Text => Value::Text(format!("t{}", rng.below(1000))),
            Kind::Date => Value::Date(rng.below(20_000) as i32),
            Kind::Time => Value::Time(rng.below(1_000_000_000) as i64 * 1_000_003),
            Kind::Decimal => Value::Decimal(rng.below(1_000_000) as i128 - 500_000),
            Kind::Int32 | Kind::Int64 => Value::Int(rng.below(1_000_000) as i64 - 500_000),
        }
    }
}

fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.to_owned(), kind, toast: false }
}

fn part_value(kind: Kind, at: usize) -> Value {
    match kind {
        Kind::Text => Value::Text(["north", "south", "east"][at].to_owned()),
        Kind::Date => Value::Date(19_000 + at as i32),
        _ => Value::Int(at as i64 - 1),
    }
}

/// Values that lie close together and far apart, and on both sides of zero.
fn key_value(kind: Kind, at: usize) -> Value {
    let number = (at as i64 - 2) * if at.is_multiple_of(3) { 1_000_003 } else { 1 };
    match kind {
        Kind::Int32 | Kind::Int64 => Value::Int(number),
        Kind::Text => Value::Text(format!("{at:08x}-0000-4000-8000-{:012x}", number.unsigned_abs())),
        Kind::Date => Value::Date(at as i32 * 100 - 150),
        Kind::Time => Value::Time(number * 1_234_567),
        Kind::Decimal => Value::Decimal(i128::from(number)),
    }
}
