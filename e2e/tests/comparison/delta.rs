//! Writes small Delta tables by the letter of the protocol, with none of the code that is compared.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, Int32Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use roaring::RoaringTreemap;
use serde_json::{Value, json};
use tributary_e2e::oracle::TableLocation;

/// A row of the table `things`.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) id: i32,
    pub(crate) name: Option<&'static str>,
    pub(crate) cents: i128,
    pub(crate) microseconds: i64,
    pub(crate) score: f64,
    pub(crate) scores: Option<Vec<Option<f64>>>,
}

/// A table in a directory of its own, to which versions are added.
pub(crate) struct DeltaTable {
    directory: tempfile::TempDir,
    version: usize,
}

impl DeltaTable {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), version: 0 }
    }

    pub(crate) fn location(&self) -> TableLocation {
        TableLocation::local(self.directory.path())
    }

    /// Adds a version with a file of these rows, of which those at the positions of `deleted` do not count.
    pub(crate) fn append(&mut self, things: &[Thing], deleted: &[u64]) {
        let mut actions = if self.version == 0 { vec![protocol(), metadata()] } else { vec![] };
        actions.push(self.add_file(&batch(things), deleted));
        self.commit(&actions);
    }

    fn add_file(&self, batch: &RecordBatch, deleted: &[u64]) -> Value {
        let name = format!("part-{}.parquet", self.version);
        let path = self.directory.path().join(&name);
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        let mut add = json!({
            "path": name, "partitionValues": {}, "size": fs::metadata(&path).unwrap().len(), "modificationTime": 0,
            "dataChange": true, "stats": json!({"numRecords": batch.num_rows(), "tightBounds": false}).to_string(),
        });
        if !deleted.is_empty() {
            add["deletionVector"] = deletion_vector(deleted);
        }
        json!({ "add": add })
    }

    /// Written aside and renamed, as a reader may look at any time.
    fn commit(&mut self, actions: &[Value]) {
        let log = self.directory.path().join("_delta_log");
        fs::create_dir_all(&log).unwrap();
        let lines: Vec<_> = actions.iter().map(Value::to_string).collect();
        let aside = self.directory.path().join("commit");
        fs::write(&aside, lines.join("\n")).unwrap();
        fs::rename(aside, version_path(&log, self.version)).unwrap();
        self.version += 1;
    }
}

fn version_path(log: &Path, version: usize) -> PathBuf {
    log.join(format!("{version:020}.json"))
}

fn protocol() -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}})
}

fn metadata() -> Value {
    let list = json!({"type": "array", "elementType": "double", "containsNull": true});
    let field =
        |name: &str, data_type: Value| json!({"name": name, "type": data_type, "nullable": true, "metadata": {}});
    let fields = [
        field("id", json!("integer")),
        field("name", json!("string")),
        field("amount", json!("decimal(12,2)")),
        field("at", json!("timestamp")),
        field("score", json!("double")),
        field("scores", list),
    ];
    json!({"metaData": {"id": "0", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [],
        "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
        "configuration": {"delta.enableDeletionVectors": "true"}, "createdTime": 0}})
}

/// An inline vector: a magic number and a 64-bit roaring bitmap, in base 85.
fn deletion_vector(deleted: &[u64]) -> Value {
    let mut bytes = 1_681_511_377_u32.to_le_bytes().to_vec();
    deleted.iter().copied().collect::<RoaringTreemap>().serialize_into(&mut bytes).unwrap();
    let size = bytes.len();
    bytes.resize(size.next_multiple_of(4), 0);
    json!({"storageType": "i", "pathOrInlineDv": z85::encode(&bytes), "sizeInBytes": size, "cardinality": deleted.len()})
}

fn batch(things: &[Thing]) -> RecordBatch {
    let each = || things.iter();
    let amounts = Decimal128Array::from_iter_values(each().map(|thing| thing.cents));
    let moments = TimestampMicrosecondArray::from_iter_values(each().map(|thing| thing.microseconds));
    let columns: [(&str, ArrayRef); 6] = [
        ("id", Arc::new(Int32Array::from_iter_values(each().map(|thing| thing.id)))),
        ("name", Arc::new(each().map(|thing| thing.name).collect::<StringArray>())),
        ("amount", Arc::new(amounts.with_precision_and_scale(12, 2).unwrap())),
        ("at", Arc::new(moments.with_timezone("UTC"))),
        ("score", Arc::new(Float64Array::from_iter_values(each().map(|thing| thing.score)))),
        (
            "scores",
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(each().map(|thing| thing.scores.clone()))),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}
