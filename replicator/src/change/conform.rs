//! Rows of the source in the columns of the table: same names, the table's order and exact types, null for the rest.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, SchemaRef};

use super::ChangeBatch;

/// `rows` in the columns of `schema`. Types differ at most in the names of list and map fields; a value that would
/// not fit is an error, never a null.
pub(crate) fn rows(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if rows.schema() == *schema {
        return Ok(rows.clone());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let columns = schema.fields().iter().map(|field| match rows.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast_with_options(column, field.data_type(), &options),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)
}

/// The columns of `schema` in which at least one event carries a TOAST placeholder.
pub(super) fn unchanged(batch: &ChangeBatch, schema: &SchemaRef) -> Vec<(usize, BooleanBuffer)> {
    let fields = batch.schema.arrow.fields().iter();
    let marked = fields.zip(&batch.unchanged).filter_map(|(field, set)| Some((field, set.as_ref()?)));
    marked.filter_map(|(field, set)| Some((schema.index_of(field.name()).ok()?, set.clone()))).collect()
}
