//! Rows as any reader of Delta tables finds them. Shares nothing with what wrote them but the Parquet library.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::mem::discriminant;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use roaring::RoaringTreemap;

use crate::backing::Backing;
use crate::log::{File, Snapshot};
use crate::value::{Kind, Row, Value, of_partition, values};
use crate::vector;

/// A data file column by column.
type Columns = HashMap<String, Vec<Value>>;

/// Reads versions of one table; what was read once is not read again, for data files never change.
pub(crate) struct Reader<'a> {
    backing: &'a Backing,
    read: HashMap<String, Rc<(usize, Columns)>>,
    vectors: HashMap<String, Rc<RoaringTreemap>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(backing: &'a Backing) -> Self {
        Self { backing, read: HashMap::new(), vectors: HashMap::new() }
    }

    /// The live rows of a version, in no order, in the columns of the version.
    pub(crate) fn rows(&mut self, snapshot: &Snapshot) -> Result<Vec<Row>> {
        let columns = snapshot.columns()?;
        let mut rows = Vec::new();
        for file in snapshot.files.values() {
            rows.extend(self.live_rows(file, &columns).with_context(|| format!("in {}", file.path))?);
        }
        Ok(rows)
    }

    /// The live rows of one file, in its order.
    pub(crate) fn live_rows(&mut self, file: &File, columns: &[(String, Kind)]) -> Result<Vec<Row>> {
        let data = self.data(file)?;
        let (count, read) = &*data;
        let deleted = match &file.vector {
            None => Rc::default(),
            Some(vector) => self.vector(vector)?,
        };
        ensure!(deleted.max().is_none_or(|max| max < *count as u64), "a deletion vector names rows that are not there");
        check_statistics(file, *count, read, &deleted)?;
        let constant: HashMap<&String, Value> = columns
            .iter()
            .filter_map(|(name, kind)| Some((name, of_partition(*kind, file.partition_values.get(name)?.as_deref()))))
            .collect();
        let value = |row: usize, name: &String| match (constant.get(name), read.get(name)) {
            (Some(value), _) => value.clone(),
            (None, Some(values)) => values[row].clone(),
            (None, None) => Value::Null,
        };
        let live = (0..*count).filter(|row| !deleted.contains(*row as u64));
        Ok(live.map(|row| columns.iter().map(|(name, _)| value(row, name)).collect()).collect())
    }

    fn data(&mut self, file: &File) -> Result<Rc<(usize, Columns)>> {
        if let Some(read) = self.read.get(&file.path) {
            return Ok(Rc::clone(read));
        }
        let path = Path::from_url_path(&file.path)?;
        let bytes = self.backing.read(&path).context("the data file is gone")?;
        ensure!(bytes.len() as u64 == file.size, "the log says {} bytes, it has {}", file.size, bytes.len());
        let (mut count, mut columns) = (0, Columns::new());
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
            let batch = batch?;
            count += batch.num_rows();
            for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                columns.entry(field.name().clone()).or_default().extend(values(array));
            }
        }
        let read = Rc::new((count, columns));
        self.read.insert(file.path.clone(), Rc::clone(&read));
        Ok(read)
    }

    fn vector(&mut self, vector: &serde_json::Value) -> Result<Rc<RoaringTreemap>> {
        let id = vector.to_string();
        if let Some(read) = self.vectors.get(&id) {
            return Ok(Rc::clone(read));
        }
        let read = Rc::new(vector::read(self.backing, vector)?);
        self.vectors.insert(id, Rc::clone(&read));
        Ok(read)
    }
}

/// Readers skip files by their statistics: a bound that a live row exceeds loses that row.
fn check_statistics(file: &File, count: usize, read: &Columns, deleted: &RoaringTreemap) -> Result<()> {
    let Some(stats) = &file.stats else { return Ok(()) };
    ensure!(stats["numRecords"].as_u64() == Some(count as u64), "numRecords is {} of {count}", stats["numRecords"]);
    ensure!(deleted.is_empty() || stats["tightBounds"] == false, "bounds are called tight in spite of deleted rows");
    for (name, values) in read {
        let live = values.iter().enumerate().filter(|(row, _)| !deleted.contains(*row as u64)).map(|(_, value)| value);
        let live: Vec<&Value> = live.filter(|value| **value != Value::Null).collect();
        let (min, max) = (bound(&stats["minValues"][name]), bound(&stats["maxValues"][name]));
        for value in live {
            ensure!(!beyond(value, min.as_ref(), Ordering::Less), "{name}: {value:?} is below the minimum {min:?}");
            ensure!(!beyond(value, max.as_ref(), Ordering::Greater), "{name}: {value:?} is above the maximum {max:?}");
        }
    }
    Ok(())
}

fn beyond(value: &Value, bound: Option<&Value>, side: Ordering) -> bool {
    let comparable = bound.filter(|bound| discriminant(*bound) == discriminant(value));
    comparable.is_some_and(|bound| value.cmp(bound) == side)
}

fn bound(json: &serde_json::Value) -> Option<Value> {
    if let Some(number) = json.as_i64() {
        return Some(Value::Int(number));
    }
    let text = json.as_str()?;
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(Value::Time(time.as_microsecond()));
    }
    let is_date = text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    Some(if is_date { of_partition(Kind::Date, Some(text)) } else { Value::Text(text.to_owned()) })
}
