//! The actions of the Delta log as we write and read them (Delta protocol, "Actions").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Values of the columns that partition the table, as the log writes them.
pub(in crate::table) type PartitionValues = BTreeMap<String, Option<String>>;

/// A data file that is in the table from this version on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::table) struct Add {
    /// Path below the table.
    #[serde(with = "uri")]
    pub path: String,
    pub partition_values: PartitionValues,
    pub size: i64,
    /// Milliseconds since the epoch.
    pub modification_time: i64,
    /// `false` when the file only rearranges rows that other files of the table had.
    pub data_change: bool,
    /// Statistics as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<DeletionVector>,
}

/// A data file that is not in the table any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::table) struct Remove {
    #[serde(with = "uri")]
    pub path: String,
    /// Milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    pub data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<PartitionValues>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<DeletionVector>,
}

/// Where the deleted rows of a data file are written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::table) struct DeletionVector {
    /// `u`: a file named by a UUID; `i`: in the log itself; `p`: a file at an absolute path.
    pub storage_type: String,
    pub path_or_inline_dv: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i32>,
    pub size_in_bytes: i32,
    pub cardinality: i64,
}

/// Name, columns and properties of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::table) struct Metadata {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub format: Value,
    /// The columns as JSON text.
    pub schema_string: String,
    pub partition_columns: Vec<String>,
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

/// What readers and writers of the table must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::table) struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// How far an application has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::table) struct Txn {
    pub app_id: String,
    pub version: i64,
}

/// One line of a version of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::table) enum Action {
    #[serde(rename = "commitInfo")]
    CommitInfo(Map<String, Value>),
    #[serde(rename = "protocol")]
    Protocol(Protocol),
    #[serde(rename = "metaData")]
    Metadata(Metadata),
    #[serde(rename = "txn")]
    Txn(Txn),
    #[serde(rename = "remove")]
    Remove(Remove),
    #[serde(rename = "add")]
    Add(Add),
}

/// Paths are URIs in the log: characters that a URI does not have are percent-encoded.
mod uri {
    use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const ENCODED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');

    pub(super) fn serialize<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&utf8_percent_encode(path, ENCODED))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let path = String::deserialize(deserializer)?;
        percent_decode_str(&path).decode_utf8().map(std::borrow::Cow::into_owned).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_percent_sign_survives_the_log() {
        let add = Add { path: "day=a%20b/part é.parquet".to_owned(), ..Add::default() };
        let line = serde_json::to_string(&Action::Add(add.clone())).unwrap();
        assert!(line.contains("day=a%2520b/part%20%C3%A9.parquet"), "{line}");
        assert_eq!(serde_json::from_str::<Action>(&line).unwrap(), Action::Add(add));
    }
}
