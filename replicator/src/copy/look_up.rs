//! Rows of the source by their keys: for values that no event and no stored row has.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use tributary_sources::postgres::{self, Reading, RowReader, Table};

use super::{CopyError, CopySource};

/// The rows of these keys that the source has now. `keys`: key columns, under their names.
pub async fn look_up(source: &CopySource, keys: &RecordBatch) -> Result<Vec<RecordBatch>, CopyError> {
    let name = &source.table.name;
    let session = source.connect().await?;
    let described = postgres::table(&session, &source.table).await?;
    let described = described.filter(Table::has_key).ok_or_else(|| CopyError::NoTable { table: name.clone() })?;
    let naming = source.settings.naming;
    let reader = RowReader::new(name, &described.columns, naming);
    let reading = Reading::begin(&session, name).await?;
    // By the names that the source has.
    let source_name = |field: &str| described.columns.iter().find(|column| naming.of(&column.name) == field);
    let schema = keys.schema();
    let names = schema.fields().iter().map(|field| Some(source_name(field.name())?.name.clone()));
    let Some(names) = names.collect::<Option<Vec<String>>>() else { return Ok(Vec::new()) };
    let mut rows = reading.rows(&reader, Some(&condition(&names, keys))).await?;
    let mut found = Vec::new();
    while let Some(batch) = rows.next().await? {
        found.push(batch);
    }
    drop(rows);
    reading.end().await?;
    Ok(found)
}

/// That a row has one of the keys. Values are quoted, and become of the column's type where they are compared.
fn condition(names: &[String], keys: &RecordBatch) -> String {
    let schema = keys.schema();
    let names: Vec<String> = names.iter().map(|name| postgres::identifier(name)).collect();
    let options = FormatOptions::new().with_null("").with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f%:z"));
    let columns = keys.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).ok());
    let columns: Vec<_> = columns.collect();
    let row = |row: usize| {
        let values = columns.iter().zip(schema.fields()).map(|(column, field)| {
            let text = column.as_ref().map(|column| column.value(row).to_string()).unwrap_or_default();
            let prefix = if *field.data_type() == DataType::Binary { "\\x" } else { "" };
            format!("'{prefix}{}'", text.replace('\'', "''"))
        });
        format!("({})", values.collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = (0..keys.num_rows()).map(row).collect();
    format!("({}) IN ({})", names.join(", "), rows.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    #[test]
    fn a_key_is_compared_as_text_that_cannot_leave_its_quotes() {
        let fields = [("id", DataType::Int64), ("a \"b\"", DataType::Utf8), ("c", DataType::Binary)];
        let fields: Vec<Field> = fields.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
        let keys = RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            vec![
                Arc::new(Int64Array::from(vec![-1, 2])),
                Arc::new(StringArray::from(vec!["it's", "x"])),
                Arc::new(BinaryArray::from(vec![b"\x01\xff".as_slice(), b""])),
            ],
        );
        let expected = r#"("id", "a ""b""", "c") IN (('-1', 'it''s', '\x01ff'), ('2', 'x', '\x'))"#;
        let names = ["id", "a \"b\"", "c"].map(str::to_owned);
        assert_eq!(condition(&names, &keys.unwrap()), expected);
    }
}
