//! Which columns of a data file have a dictionary: not those whose values hardly repeat, such as keys and times. To find a
//! place for each value in one takes a quarter of the time of writing the file, and it helps nobody.

use std::collections::HashSet;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::ArrowError;
use arrow_select::take::take_record_batch;

/// Rows that are looked at. If no two of 1024 have the same value, there are about half a million values or more.
const SAMPLE: usize = 1024;
/// Values of them that may have come before.
const REPEATED: usize = 1;

/// Names of the columns whose values hardly repeat, by some of the `rows`; none when there are few.
pub(super) fn columns_without(rows: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    if rows.num_rows() < SAMPLE {
        return Ok(Vec::new());
    }
    let stride = rows.num_rows() / SAMPLE;
    let sample: UInt32Array = (0..SAMPLE).map(|at| (at * stride) as u32).collect();
    let sample = take_record_batch(rows, &sample)?;
    let schema = sample.schema();
    let mut names = Vec::new();
    for (field, column) in schema.fields().iter().zip(sample.columns()) {
        if column.null_count() == 0 && hardly_repeats(column)? {
            names.push(field.name().clone());
        }
    }
    Ok(names)
}

fn hardly_repeats(column: &ArrayRef) -> Result<bool, ArrowError> {
    let rows = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let rows = rows.convert_columns(&[ArrayRef::clone(column)])?;
    let distinct: HashSet<_> = rows.iter().collect();
    Ok(distinct.len() + REPEATED >= rows.num_rows())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    fn amount(row: i64) -> i64 {
        (xxhash_rust::xxh3::xxh3_64(&row.to_le_bytes()) % 10_000) as i64
    }

    fn rows(count: i64) -> RecordBatch {
        let columns: [(&str, ArrayRef); 4] = [
            ("key", Arc::new(StringArray::from_iter_values((0..count).map(|row| format!("key {row}"))))),
            ("state", Arc::new(StringArray::from_iter_values((0..count).map(|row| format!("state {}", row % 5))))),
            ("some", Arc::new((0..count).map(|row| (row % 2 == 0).then_some(row)).collect::<Int64Array>())),
            ("amount", Arc::new(Int64Array::from_iter_values((0..count).map(amount)))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn columns_whose_values_hardly_repeat_are_found() {
        assert_eq!(columns_without(&rows(100_000)).unwrap(), ["key"]);
        assert_eq!(columns_without(&rows(1024)).unwrap(), ["key"]);
        assert!(columns_without(&rows(1023)).unwrap().is_empty(), "of few rows a dictionary costs little");
    }
}
