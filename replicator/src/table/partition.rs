//! Values of the columns that partition the table: in the log, in the folders' names, and as columns again
//! (Delta protocol, "Partition Value Serialization").

use std::fmt::Write;

use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Field};

use super::TableError;
use super::log::PartitionValues;

/// The folder of a row without a value, as Hive calls it.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// The value of the first row of `column`; `None` is NULL. One that the log cannot hold is an error.
pub(super) fn value(name: &str, column: &ArrayRef) -> Result<Option<String>, TableError> {
    if column.is_null(0) {
        return Ok(None);
    }
    let options = FormatOptions::new().with_timestamp_format(Some(TIMESTAMP)).with_timestamp_tz_format(Some(TIMESTAMP));
    let unfit = |what: &str| TableError::Layout {
        field: "partitionBy",
        problem: format!(
            "a row has {what} in {name}, which the Delta protocol cannot write down as the value of a partition. Change \
             the row at the source, or have the table made anew with another partitionBy and another target"
        ),
    };
    let text = ArrayFormatter::try_new(column.as_ref(), &options)?.value(0).try_to_string();
    let text = text.map_err(|_| unfit("a date out of range"))?;
    let is_time = matches!(column.data_type(), DataType::Date32 | DataType::Timestamp(..));
    match text.as_bytes().first() {
        // Read as NULL.
        None => Err(unfit("an empty text")),
        Some(b'+' | b'-') if is_time => Err(unfit("a date before year 1 or after year 9999")),
        _ => Ok(Some(text)),
    }
}

/// Path of a data file of this name below the table.
pub(super) fn path(values: &PartitionValues, name: &str) -> String {
    let folder = |(column, value): (&String, &Option<String>)| {
        format!("{}={}/", safe(column), value.as_deref().map_or_else(|| NULL_FOLDER.to_owned(), safe))
    };
    values.iter().map(folder).chain([name.to_owned()]).collect()
}

/// The text with every byte encoded that means something in a path or in an address.
fn safe(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut safe, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            safe.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(safe, "%{byte:02X}");
        }
        safe
    })
}

/// The column that a partition's value stands for, `rows` times; `None` when the column does not partition the table.
pub(super) fn constant(values: &PartitionValues, field: &Field, rows: usize) -> Option<Result<ArrayRef, ArrowError>> {
    let text = values.get(field.name())?.as_deref();
    let texts = StringArray::from(vec![text; rows]);
    Some(arrow_cast::cast(&texts, field.data_type()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Date32Array, Decimal128Array, TimestampMicrosecondArray};

    use super::*;

    fn both_ways(column: impl Array + 'static) -> String {
        let column: ArrayRef = Arc::new(column);
        let text = value("c", &column).unwrap().unwrap();
        let field = Field::new("c", column.data_type().clone(), true);
        let values = PartitionValues::from([("c".to_owned(), Some(text.clone()))]);
        assert_eq!(&constant(&values, &field, 1).unwrap().unwrap(), &column.slice(0, 1), "{text}");
        text
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        assert_eq!(both_ways(StringArray::from(vec!["a/b c"])), "a/b c");
        assert_eq!(both_ways(Date32Array::from(vec![19_000])), "2022-01-08");
        let at = TimestampMicrosecondArray::from(vec![1_641_600_000_000_001]);
        assert_eq!(both_ways(at.clone()), "2022-01-08 00:00:00.000001");
        assert_eq!(both_ways(at.with_timezone("UTC")), "2022-01-08 00:00:00.000001");
        let decimal = Decimal128Array::from(vec![-105]).with_precision_and_scale(9, 2).unwrap();
        assert_eq!(both_ways(decimal), "-1.05");
    }

    #[test]
    fn a_value_that_the_log_cannot_hold_is_refused_and_not_repeated() {
        for column in [
            Arc::new(Date32Array::from(vec![109_000_000])) as ArrayRef,
            Arc::new(Date32Array::from(vec![-900_000])),
            Arc::new(Date32Array::from(vec![i32::MAX])),
            Arc::new(StringArray::from(vec![""])),
        ] {
            let error = value("day", &column).unwrap_err().to_string();
            assert!(error.starts_with("partitionBy: a row has a") && error.contains(" in day,"), "{error}");
        }
    }

    #[test]
    fn folders_are_named_by_what_is_safe_in_a_path() {
        let values = PartitionValues::from([("a".to_owned(), Some("x/y".to_owned())), ("b".to_owned(), None)]);
        assert_eq!(path(&values, "f.parquet"), "a=x%2Fy/b=__HIVE_DEFAULT_PARTITION__/f.parquet");
    }
}
