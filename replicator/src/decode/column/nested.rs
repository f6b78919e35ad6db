//! Arrays, maps and structs.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::{Conversion, ValueError, as_struct, child};

/// The element of a list, under the name that Delta's Parquet files give it.
pub(super) fn element(items: &Conversion) -> FieldRef {
    Arc::new(Field::new("element", items.data_type(), true))
}

/// A map from text, under the names that Delta's Parquet files give its parts.
pub(super) fn map_type(values: &Conversion) -> DataType {
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry_fields(values)), false)), false)
}

fn entry_fields(values: &Conversion) -> Fields {
    vec![Field::new("key", DataType::Utf8, false), Field::new("value", values.data_type(), true)].into()
}

pub(super) fn struct_fields(fields: &[(String, Conversion)]) -> Fields {
    fields.iter().map(|(name, conversion)| Field::new(name, conversion.data_type(), true)).collect()
}

pub(super) fn to_list(raw: &ArrayRef, items: &Conversion) -> Result<ArrayRef, ValueError> {
    let raw: &ListArray = raw.as_list_opt().ok_or(ValueError::Malformed)?;
    let values = items.convert(raw.values())?;
    let list = ListArray::try_new(element(items), raw.offsets().clone(), values, raw.nulls().cloned());
    Ok(Arc::new(list.map_err(|_| ValueError::Malformed)?))
}

pub(super) fn to_map(raw: &ArrayRef, values: &Conversion) -> Result<ArrayRef, ValueError> {
    let raw = raw.as_map_opt().ok_or(ValueError::Malformed)?;
    let columns = vec![raw.keys().clone(), values.convert(raw.values())?];
    let entries = StructArray::try_new(entry_fields(values), columns, None).map_err(|_| ValueError::Malformed)?;
    let DataType::Map(entry, ordered) = map_type(values) else { return Err(ValueError::Malformed) };
    let map = MapArray::try_new(entry, raw.offsets().clone(), entries, raw.nulls().cloned(), ordered);
    Ok(Arc::new(map.map_err(|_| ValueError::Malformed)?))
}

pub(super) fn to_struct(raw: &ArrayRef, fields: &[(String, Conversion)]) -> Result<ArrayRef, ValueError> {
    let raw = as_struct(raw)?;
    let columns = fields.iter().map(|(name, conversion)| {
        let column = child(raw, name).ok_or(ValueError::Malformed)?;
        conversion.convert(&column)
    });
    let columns = columns.collect::<Result<_, _>>()?;
    let converted = StructArray::try_new(struct_fields(fields), columns, raw.nulls().cloned());
    Ok(Arc::new(converted.map_err(|_| ValueError::Malformed)?))
}
