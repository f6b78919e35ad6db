//! Rows that are read at a snapshot, against what SQL says of them: of every type, with the values at its edges.

use std::fs::{self, File};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use tributary_e2e::compare::{TablePair, equal};
use tributary_e2e::oracle::{Oracle, TableLocation};
use tributary_e2e::types_table;
use tributary_sources::postgres::{
    KeyValue, Naming, Range, RangeColumn, Reading, RowReader, Session, SourceError, connect, facts,
};

use super::{Source, superuser};

async fn reader(source: &Source, session: &Session, table: &str) -> RowReader {
    let facts = facts(session, &source.resource(&[table])).await.unwrap();
    RowReader::new(table, &facts.tables[0].columns, Naming::AsIs)
}

async fn read(
    reading: &Reading<'_>,
    reader: &RowReader,
    condition: Option<&str>,
) -> Result<Vec<RecordBatch>, SourceError> {
    let mut rows = reading.rows(reader, condition).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await? {
        batches.push(batch);
    }
    Ok(batches)
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// A Delta table of these rows, by the letter of the protocol.
fn write(folder: &Path, batches: &[RecordBatch]) {
    let schema = batches[0].schema();
    let data = folder.join("part.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&data).unwrap(), schema.clone(), None).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
    let features = json!(["timestampNtz"]);
    let actions = [
        json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}}),
        json!({"metaData": {"id": "0", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [],
            "schemaString": struct_type(schema.fields()).to_string(), "configuration": {}, "createdTime": 0}}),
        json!({"add": {"path": "part.parquet", "partitionValues": {}, "size": fs::metadata(&data).unwrap().len(),
            "modificationTime": 0, "dataChange": true, "stats": json!({"numRecords": count(batches)}).to_string()}}),
    ];
    let log = folder.join("_delta_log");
    fs::create_dir(&log).unwrap();
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    fs::write(log.join("00000000000000000000.json"), lines.join("\n")).unwrap();
}

fn struct_type(fields: &Fields) -> Value {
    let field = |field: &Field| json!({"name": field.name(), "type": delta_type(field.data_type()), "nullable": true, "metadata": {}});
    json!({"type": "struct", "fields": fields.iter().map(|of| field(of)).collect::<Vec<_>>()})
}

fn delta_type(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => json!("boolean"),
        DataType::Int16 => json!("short"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("binary"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(_, None) => json!("timestamp_ntz"),
        DataType::Timestamp(_, Some(_)) => json!("timestamp"),
        DataType::Decimal128(precision, scale) => json!(format!("decimal({precision},{scale})")),
        DataType::List(element) => {
            json!({"type": "array", "elementType": delta_type(element.data_type()), "containsNull": true})
        }
        DataType::Struct(fields) => struct_type(fields),
        other => panic!("no type of Delta: {other}"),
    }
}

#[tokio::test]
async fn every_value_of_every_type_is_read_as_it_is() {
    let source = Source::start(&[]).await;
    types_table::create(&source.admin).await.unwrap();
    types_table::seed(&source.admin).await.unwrap();
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    let oracle = Oracle::start().await.unwrap();
    for table in types_table::TABLES {
        let reading = Reading::begin(&session, table).await.unwrap();
        let reader = reader(&source, &session, table).await;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &read(&reading, &reader, None).await.unwrap());
        let pair = [TablePair::new(table, TableLocation::local(folder.path()))];
        equal(&source.admin, &oracle, &pair).await.unwrap();
        reading.end().await.unwrap();
    }
}

#[tokio::test]
async fn a_reading_sees_one_moment_in_all_its_parts_and_leaves_the_session_usable() {
    let source = Source::start(&[]).await;
    source.sql("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n").await;
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    let reader = reader(&source, &session, "public.t").await;
    let reading = Reading::begin(&session, "public.t").await.unwrap();
    let first = read(&reading, &reader, Some("id <= 10000")).await.unwrap();
    assert!(first.len() > 2, "rows come in batches");
    source.sql("DELETE FROM t; INSERT INTO t VALUES (1, 'new')").await;
    let second = read(&reading, &reader, Some("id > 10000")).await.unwrap();
    assert_eq!((count(&first), count(&second)), (10_000, 10_000));
    reading.end().await.unwrap();
    let reading = Reading::begin(&session, "public.t").await.unwrap();
    assert_eq!(count(&read(&reading, &reader, None).await.unwrap()), 1);
}

#[tokio::test]
async fn a_value_that_delta_cannot_hold_is_refused_by_its_column_and_not_repeated() {
    let source = Source::start(&[]).await;
    source.sql("CREATE TABLE t (id int PRIMARY KEY, n numeric(4,2), at timestamp, a int[])").await;
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    let reader = reader(&source, &session, "public.t").await;
    for (column, value) in [("n", "'NaN'"), ("at", "'294276-01-01'"), ("a", "'{{1,2},{3,4}}'")] {
        source.sql(&format!("TRUNCATE t; INSERT INTO t (id, {column}) VALUES (1, {value})")).await;
        let reading = Reading::begin(&session, "public.t").await.unwrap();
        let error = read(&reading, &reader, None).await.unwrap_err();
        let expected = format!("a value of the column {column} of public.t is out of the range of its type in Delta");
        assert_eq!(error.to_string(), expected);
        reading.end().await.unwrap();
    }
}

#[tokio::test]
async fn a_range_ends_at_the_row_of_a_number_by_the_order_of_the_column_and_not_of_its_text() {
    let source = Source::start(&[]).await;
    source
        .sql("CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT n - 100 FROM generate_series(1, 2000) n")
        .await;
    let session = connect(&source.postgres(), &superuser()).await.unwrap();
    let facts = facts(&session, &source.resource(&["public.t"])).await.unwrap();
    let column = RangeColumn::of(&facts.tables[0].columns[0]).unwrap();
    let mut range = Range::default();
    for end in [400, 900, 1400] {
        range.up_to = column.nth(&session, "public.t", &range, 500).await.unwrap();
        assert_eq!(range.up_to, Some(KeyValue::Integer(end)));
        range = Range { after: range.up_to, up_to: None };
    }
    assert_eq!(column.nth(&session, "public.t", &range, 500).await.unwrap(), None, "the rest");
}
