//! The columns of a Delta table, and how those of the source fit into them.

use std::sync::Arc;

use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use buoyant_kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use buoyant_kernel::schema::{DataType, PrimitiveType, StructType};

use xxhash_rust::xxh3::xxh3_64;

use super::TableError;
use super::create::{KEY_COLUMNS, unexpected};
use super::log::Metadata;
use crate::change::{KeyEncoder, RowSchema};

/// Columns and key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    arrow: SchemaRef,
    key: Vec<usize>,
    seed: u64,
}

impl Columns {
    /// The columns of a source table, as a new Delta table will hold them.
    pub(super) fn of_source(source: &RowSchema) -> Result<Self, TableError> {
        if source.key.is_empty() {
            return Err(TableError::NoKey);
        }
        let fields = source.arrow.fields().iter();
        let plain: Vec<Field> = fields.map(|field| Field::new(field.name(), field.data_type().clone(), true)).collect();
        let delta: StructType = (&Schema::new(plain)).try_into_kernel()?;
        Self::new(&delta, source.key.iter().map(|&column| source.arrow.field(column).name().as_str()), 0)
    }

    /// The columns of an existing table, by what its metadata says; `None` when it does not say which ones are the key.
    pub(super) fn of_metadata(metadata: &Metadata) -> Result<Option<Self>, TableError> {
        let key = metadata.configuration.get(KEY_COLUMNS).and_then(|key| serde_json::from_str::<Vec<String>>(key).ok());
        let Some(key) = key else { return Ok(None) };
        let delta: StructType = serde_json::from_str(&metadata.schema_string).map_err(unexpected)?;
        let seed = xxh3_64(metadata.id.as_bytes());
        Self::new(&delta, key.iter().map(String::as_str), seed).map(Some)
    }

    /// A key column that does not exist is an error.
    fn new<'a>(delta: &StructType, key: impl Iterator<Item = &'a str>, seed: u64) -> Result<Self, TableError> {
        let arrow: Schema = delta.try_into_arrow()?;
        let key = key.map(|name| arrow.index_of(name)).collect::<Result<_, ArrowError>>()?;
        Ok(Self { arrow: Arc::new(arrow), key, seed })
    }

    /// The same columns with the hashes of another table's: of what that one becomes.
    pub(super) fn with_seed_of(self, other: &Self) -> Self {
        Self { seed: other.seed, ..self }
    }

    /// What turns key columns into hashes. They differ from table to table, so that nobody who only writes rows can make
    /// two keys collide.
    pub fn key_encoder(&self) -> Result<KeyEncoder, ArrowError> {
        let types = self.key.iter().map(|&column| self.arrow.field(column).data_type().clone());
        Ok(KeyEncoder::new(types)?.with_seed(self.seed))
    }

    /// The key columns alone, in key order.
    pub(super) fn key_schema(&self) -> Schema {
        Schema::new(self.key.iter().map(|&column| Arc::clone(&self.arrow.fields()[column])).collect::<Vec<_>>())
    }

    /// Stands for everything that the hashes of keys depend on.
    pub(super) fn key_kind(&self) -> String {
        format!("{:?} {}", self.key_schema(), self.seed)
    }

    /// Delta's types in Arrow's words.
    pub fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Indices of the key columns, in key order.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Names of the key columns, in key order.
    pub(super) fn key_names(&self) -> Vec<&str> {
        self.key.iter().map(|&column| self.arrow.field(column).name().as_str()).collect()
    }

    /// The same in Delta's words.
    pub(super) fn delta(&self) -> Result<StructType, TableError> {
        Ok(self.arrow.as_ref().try_into_kernel()?)
    }

    /// Timestamps without a zone need a table feature.
    pub(super) fn has_timestamp_ntz(&self) -> Result<bool, TableError> {
        Ok(self.delta()?.fields().any(|field| holds_timestamp_ntz(field.data_type())))
    }

    /// These columns and those that the source has got since; `self` again when there are none. A column that the
    /// source dropped stays. Another type or another key is an error.
    pub(super) fn grown_by(&self, source: &RowSchema) -> Result<Self, TableError> {
        let source = Self::of_source(source)?;
        if source.key_names() != self.key_names() {
            let names = |columns: &Self| columns.key_names().join(", ");
            return Err(TableError::KeyChanged { table: names(self), source_key: names(&source) });
        }
        self.with_columns_of(&source)
    }

    fn refuse_other_case(&self, column: &str) -> Result<(), TableError> {
        let mut own = self.arrow.fields().iter().map(|field| field.name());
        match own.find(|own| own.to_lowercase() == column.to_lowercase()) {
            Some(table) => Err(TableError::ColumnCase { column: column.to_owned(), table: table.clone() }),
            None => Ok(()),
        }
    }

    /// These columns and those of `other` that are missing here. Another type of one that is not is an error.
    pub(super) fn with_columns_of(&self, other: &Self) -> Result<Self, TableError> {
        let mut fields = self.arrow.fields().to_vec();
        for field in other.arrow.fields() {
            match self.arrow.column_with_name(field.name()) {
                None => {
                    self.refuse_other_case(field.name())?;
                    fields.push(Arc::clone(field));
                }
                Some((_, own)) if own.data_type() == field.data_type() => {}
                Some((_, own)) => return Err(column_type(own, field)),
            }
        }
        if fields.len() == self.arrow.fields().len() {
            return Ok(self.clone());
        }
        let grown = Self { arrow: Arc::new(Schema::new(fields)), key: self.key.clone(), seed: self.seed };
        grown.delta()?;
        Ok(grown)
    }
}

fn column_type(table: &Field, source: &Field) -> TableError {
    let name = |field: &Field| -> String {
        let delta: Result<DataType, ArrowError> = field.data_type().try_into_kernel();
        delta.map_or_else(|_| field.data_type().to_string(), |delta| delta.to_string())
    };
    TableError::ColumnType { column: table.name().clone(), table: name(table), source_type: name(source) }
}

fn holds_timestamp_ntz(data_type: &DataType) -> bool {
    match data_type {
        DataType::Primitive(primitive) => *primitive == PrimitiveType::TimestampNtz,
        DataType::Array(array) => holds_timestamp_ntz(array.element_type()),
        DataType::Map(map) => holds_timestamp_ntz(map.key_type()) || holds_timestamp_ntz(map.value_type()),
        DataType::Struct(nested) => nested.fields().any(|field| holds_timestamp_ntz(field.data_type())),
        DataType::Variant(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType as Arrow, TimeUnit};

    use super::*;

    fn source(columns: &[(&str, Arrow)], key: Vec<usize>) -> RowSchema {
        let fields: Vec<Field> = columns.iter().map(|(name, of)| Field::new(*name, of.clone(), true)).collect();
        RowSchema { arrow: Arc::new(Schema::new(fields)), key, warnings: vec![] }
    }

    #[test]
    fn new_columns_are_added_at_the_end_and_dropped_ones_stay() {
        let first = Columns::of_source(&source(&[("id", Arrow::Int64), ("a", Arrow::Utf8)], vec![0])).unwrap();
        let grown = first.grown_by(&source(&[("b", Arrow::Date32), ("id", Arrow::Int64)], vec![1])).unwrap();
        let names: Vec<_> = grown.arrow().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["id", "a", "b"]);
        assert_eq!(grown.key_names(), ["id"]);
    }

    #[test]
    fn another_type_is_refused_with_both_types_named() {
        let table = Columns::of_source(&source(&[("id", Arrow::Int32)], vec![0])).unwrap();
        let error = table.grown_by(&source(&[("id", Arrow::Int64)], vec![0])).unwrap_err().to_string();
        assert!(error.starts_with("column id: the Delta table holds integer, the source now sends long."), "{error}");
    }

    #[test]
    fn a_name_that_differs_only_by_case_is_refused_with_both_names() {
        let table = Columns::of_source(&source(&[("id", Arrow::Int32), ("userName", Arrow::Utf8)], vec![0])).unwrap();
        let renamed = source(&[("id", Arrow::Int32), ("username", Arrow::Utf8)], vec![0]);
        let error = table.grown_by(&renamed).unwrap_err().to_string();
        assert!(error.starts_with("column username of the source is userName in the Delta table"), "{error}");
    }

    #[test]
    fn another_key_and_no_key_are_refused() {
        let both = [("a", Arrow::Int64), ("b", Arrow::Int64)];
        let table = Columns::of_source(&source(&both, vec![0])).unwrap();
        assert!(matches!(table.grown_by(&source(&both, vec![1])), Err(TableError::KeyChanged { .. })));
        assert!(matches!(Columns::of_source(&source(&both, vec![])), Err(TableError::NoKey)));
    }

    #[test]
    fn a_timestamp_without_zone_is_found_inside_a_list() {
        let element = Field::new("item", Arrow::Timestamp(TimeUnit::Microsecond, None), true);
        let list = source(&[("id", Arrow::Int64), ("at", Arrow::List(Arc::new(element)))], vec![0]);
        assert!(Columns::of_source(&list).unwrap().has_timestamp_ntz().unwrap());
    }
}
