//! What a comparison found, and how it is told.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

/// How many keys of each kind of difference are kept.
const SAMPLES: usize = 5;

/// A number of rows, and the first few of them in words.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// How many rows.
    pub count: u64,
    /// The first few, by key.
    pub samples: Vec<String>,
}

impl Findings {
    pub(super) fn add(&mut self, describe: impl FnOnce() -> String) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(describe());
        }
    }
}

/// What was found in one table.
#[derive(Clone, Debug)]
pub struct TableReport {
    /// The source table.
    pub table: String,
    /// The version of the Delta table that was read.
    pub version: i64,
    /// How many columns were compared.
    pub columns: usize,
    /// Rows that are equal on both sides.
    pub equal: u64,
    /// Rows that only Postgres has.
    pub missing: Findings,
    /// Rows that only Delta has.
    pub surplus: Findings,
    /// Delta rows whose key another Delta row has.
    pub duplicates: Findings,
    /// Rows of one key with different values.
    pub changed: Findings,
    /// In how many of those rows each column differs.
    pub differing_columns: BTreeMap<String, u64>,
    /// Columns that could not be compared, and why.
    pub problems: Vec<String>,
}

impl TableReport {
    pub(super) fn new(table: &str, version: i64, columns: usize) -> Self {
        Self {
            table: table.to_string(),
            version,
            columns,
            equal: 0,
            missing: Findings::default(),
            surplus: Findings::default(),
            duplicates: Findings::default(),
            changed: Findings::default(),
            differing_columns: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Whether the two tables are equal in every row and column.
    pub fn is_equal(&self) -> bool {
        let findings = [&self.missing, &self.surplus, &self.duplicates, &self.changed];
        self.problems.is_empty() && findings.iter().all(|found| found.count == 0)
    }
}

impl Display for TableReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let state = if self.is_equal() { "equal" } else { "DIFFERENT" };
        let Self { table, version, columns, equal, .. } = self;
        write!(f, "{table}: {state}, {equal} equal rows of {columns} columns, Delta version {version}")?;
        let kinds = [
            ("only in Postgres", &self.missing),
            ("only in Delta", &self.surplus),
            ("again under a key that Delta already has", &self.duplicates),
            ("with different values", &self.changed),
        ];
        for (kind, found) in kinds.iter().filter(|(_, found)| found.count > 0) {
            write!(f, "\n  {} rows {kind}:", found.count)?;
            found.samples.iter().try_for_each(|sample| write!(f, "\n    {sample}"))?;
        }
        if !self.differing_columns.is_empty() {
            write!(f, "\n  differing columns:")?;
            self.differing_columns.iter().try_for_each(|(column, rows)| write!(f, " {column} ({rows} rows)"))?;
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// All tables are equal.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// One report per table, in the order asked for.
    pub tables: Vec<TableReport>,
}

/// At least one table is not.
#[derive(Clone, Debug)]
pub struct Difference {
    /// One report per table, in the order asked for; equal ones too.
    pub tables: Vec<TableReport>,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        lines(&self.tables, f)
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        lines(&self.tables, f)
    }
}

fn lines(tables: &[TableReport], f: &mut Formatter<'_>) -> Result {
    tables
        .iter()
        .enumerate()
        .try_for_each(|(i, table)| if i == 0 { write!(f, "{table}") } else { write!(f, "\n{table}") })
}
