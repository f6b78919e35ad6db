//! Matches the rows of both sides by key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tokio_postgres::Row as SourceRow;

use super::canonical::{self, canonical_text};
use super::postgres::SourceTable;
use super::report::TableReport;
use crate::oracle::{DeltaType, Header, Row as DeltaRow};

// A row's text is, for each column, a mark and the value. Postgres text cannot hold a zero byte.
const PRESENT: &str = "\0=";
const NULL: &str = "\0-";

/// The columns in the order in which they are compared: the key's first.
pub(super) struct Layout {
    pub(super) columns: Vec<LayoutColumn>,
    pub(super) key_columns: usize,
}

/// A column of both tables.
pub(super) struct LayoutColumn {
    pub(super) name: String,
    pub(super) sql: String,
    /// An hstore, which arrives as a JSON object of any order.
    unordered: bool,
    delta_index: usize,
    delta_type: DeltaType,
}

impl Layout {
    /// Pairs the columns by name. What cannot be paired is a problem; without a whole key there is nothing to compare.
    pub(super) fn new(source: &SourceTable, target: &Header, problems: &mut Vec<String>) -> Option<Self> {
        let mut columns = Vec::new();
        for column in &source.columns {
            let Some(delta_index) = target.columns.iter().position(|c| c.name == column.name) else {
                problems.push(format!("column {} is not in the Delta table", column.name));
                continue;
            };
            let delta_type = target.columns[delta_index].data_type.clone();
            match canonical::expression(column, &delta_type) {
                Ok(sql) => {
                    let (name, unordered) = (column.name.clone(), column.type_name == "hstore");
                    columns.push((column.key, LayoutColumn { name, sql, unordered, delta_index, delta_type }));
                }
                Err(problem) => problems.push(problem),
            }
        }
        let in_source = |name: &str| source.columns.iter().any(|column| column.name == name);
        let extra = target.columns.iter().filter(|column| !in_source(&column.name));
        problems.extend(extra.map(|column| format!("column {} is only in the Delta table", column.name)));
        columns.sort_by_key(|(key, _)| key.unwrap_or(usize::MAX));
        let key_columns = columns.iter().filter(|(key, _)| key.is_some()).count();
        let whole_key = key_columns == source.columns.iter().filter(|column| column.key.is_some()).count();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        whole_key.then_some(Self { columns, key_columns })
    }

    fn source_text(&self, row: &SourceRow) -> (String, usize) {
        self.text(|index, column, text| {
            let value: Option<&str> = row.get(index);
            match value {
                Some(value) if column.unordered => text.push_str(&canonical::sorted_object(value)),
                Some(value) => canonical::push_source(text, &column.delta_type, value),
                None => return false,
            }
            true
        })
    }

    fn delta_text(&self, row: &DeltaRow) -> (String, usize) {
        self.text(|_, column, text| {
            let value = canonical_text(&column.delta_type, &row[column.delta_index]);
            match value {
                Some(value) if column.unordered => text.push_str(&canonical::sorted_object(&value)),
                Some(value) => text.push_str(&value),
                None => return false,
            }
            true
        })
    }

    /// The row's text and the length of its key. `push` adds a column's value, or says that it is null.
    fn text(&self, mut push: impl FnMut(usize, &LayoutColumn, &mut String) -> bool) -> (String, usize) {
        let mut text = String::with_capacity(128);
        let mut key_length = 0;
        for (index, column) in self.columns.iter().enumerate() {
            text.push_str(PRESENT);
            if !push(index, column, &mut text) {
                text.truncate(text.len() - PRESENT.len());
                text.push_str(NULL);
            }
            if index + 1 == self.key_columns {
                key_length = text.len();
            }
        }
        (text, key_length)
    }

    /// The key as a person reads it: `id=5, region=eu`.
    fn key(&self, key: &str) -> String {
        let values = key.split('\0').skip(1);
        let named: Vec<_> =
            self.columns.iter().zip(values).map(|(column, value)| describe(&column.name, value)).collect();
        named.join(", ")
    }
}

/// The Delta table's rows that have not been matched yet, by key.
#[derive(Default)]
pub(super) struct Keyed {
    rows: HashMap<Box<str>, Box<str>>,
    duplicates: Vec<Box<str>>,
}

impl Keyed {
    pub(super) fn insert(&mut self, layout: &Layout, row: &DeltaRow) {
        let (text, key_length) = layout.delta_text(row);
        let (key, rest) = text.split_at(key_length);
        match self.rows.entry(key.into()) {
            Entry::Occupied(entry) => self.duplicates.push(entry.key().clone()),
            Entry::Vacant(entry) => {
                entry.insert(rest.into());
            }
        }
    }

    /// Matches a source row with its Delta row and forgets that one.
    pub(super) fn take(&mut self, layout: &Layout, row: &SourceRow, report: &mut TableReport) {
        let (text, key_length) = layout.source_text(row);
        let (key, rest) = text.split_at(key_length);
        match self.rows.remove(key) {
            None => report.missing.add(|| layout.key(key)),
            Some(found) if *found == *rest => report.equal += 1,
            Some(found) => report_change(layout, key, rest, &found, report),
        }
    }

    /// What is left was not in the source.
    pub(super) fn report_rest(self, layout: &Layout, report: &mut TableReport) {
        let mut surplus: Vec<_> = self.rows.into_keys().collect();
        surplus.sort_unstable();
        surplus.iter().for_each(|key| report.surplus.add(|| layout.key(key)));
        self.duplicates.iter().for_each(|key| report.duplicates.add(|| layout.key(key)));
    }
}

fn report_change(layout: &Layout, key: &str, source: &str, target: &str, report: &mut TableReport) {
    let columns = &layout.columns[layout.key_columns..];
    let values = source.split('\0').skip(1).zip(target.split('\0').skip(1));
    let differing: Vec<_> = columns.iter().zip(values).filter(|(_, (source, target))| source != target).collect();
    for (column, _) in &differing {
        *report.differing_columns.entry(column.name.clone()).or_default() += 1;
    }
    report.changed.add(|| {
        let values = differing.iter().map(|(column, (source, target))| {
            format!("{} in Postgres, {} in Delta", describe(&column.name, source), describe("", target))
        });
        format!("{}: {}", layout.key(key), values.collect::<Vec<_>>().join("; "))
    });
}

/// A marked value with its column's name, shortened where it is long.
fn describe(name: &str, marked: &str) -> String {
    const SHOWN: usize = 60;
    let equals = if name.is_empty() { "" } else { "=" };
    match marked.strip_prefix('=') {
        None => format!("{name}{equals}NULL"),
        Some(value) if value.chars().count() > SHOWN => {
            let start: String = value.chars().take(SHOWN).collect();
            format!("{name}{equals}{start}… ({} bytes)", value.len())
        }
        Some(value) => format!("{name}{equals}{value}"),
    }
}
