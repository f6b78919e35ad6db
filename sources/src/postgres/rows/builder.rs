//! Values in their binary form become an Arrow column.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, NullBufferBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};

use super::column::{Wire, element_field, point_fields};
use super::{ValueError, array, number, time};

/// A column that grows.
pub(super) struct Builder {
    wire: Wire,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Point { nulls: NullBufferBuilder, x: Float64Builder, y: Float64Builder },
    List { nulls: NullBufferBuilder, offsets: Vec<i32>, length: i32, elements: Box<Builder> },
}

impl Builder {
    pub(super) fn new(wire: &Wire) -> Self {
        let values = match wire {
            Wire::Bool => Values::Bool(BooleanBuilder::new()),
            Wire::Int16 => Values::Int16(Int16Builder::new()),
            Wire::Int32 => Values::Int32(Int32Builder::new()),
            Wire::Int64 => Values::Int64(Int64Builder::new()),
            Wire::Float32 => Values::Float32(Float32Builder::new()),
            Wire::Float64 => Values::Float64(Float64Builder::new()),
            Wire::Text | Wire::Uuid | Wire::Time | Wire::ZonedTime => Values::Text(StringBuilder::new()),
            Wire::Binary => Values::Binary(BinaryBuilder::new()),
            Wire::Decimal(..) => Values::Decimal(Decimal128Builder::new().with_data_type(wire.data_type())),
            Wire::Date => Values::Date(Date32Builder::new()),
            Wire::Timestamp | Wire::ZonedTimestamp => {
                Values::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(wire.data_type()))
            }
            Wire::Point => {
                Values::Point { nulls: NullBufferBuilder::new(0), x: Float64Builder::new(), y: Float64Builder::new() }
            }
            Wire::List(element) => Values::List {
                nulls: NullBufferBuilder::new(0),
                offsets: vec![0],
                length: 0,
                elements: Box::new(Self::new(element)),
            },
        };
        Self { wire: wire.clone(), values }
    }

    /// Appends a value; `None` is NULL.
    pub(super) fn append(&mut self, value: Option<&[u8]>) -> Result<(), ValueError> {
        match &mut self.values {
            Values::Bool(values) => values.append_option(read(value, |[bit]: [u8; 1]| Ok(bit != 0))?),
            Values::Int16(values) => values.append_option(read(value, |bytes| Ok(i16::from_be_bytes(bytes)))?),
            Values::Int32(values) => values.append_option(read(value, |bytes| Ok(i32::from_be_bytes(bytes)))?),
            Values::Int64(values) => values.append_option(read(value, |bytes| Ok(i64::from_be_bytes(bytes)))?),
            Values::Float32(values) => values.append_option(read(value, |bytes| Ok(f32::from_be_bytes(bytes)))?),
            Values::Float64(values) => values.append_option(read(value, |bytes| Ok(f64::from_be_bytes(bytes)))?),
            Values::Date(values) => values.append_option(read(value, |bytes| time::date(i32::from_be_bytes(bytes)))?),
            Values::Timestamp(values) => {
                values.append_option(read(value, |bytes| time::timestamp(i64::from_be_bytes(bytes)))?);
            }
            Values::Binary(values) => values.append_option(value),
            Values::Decimal(values) => {
                let Wire::Decimal(precision, scale) = self.wire else { return Err(ValueError::Malformed) };
                values.append_option(value.map(|bytes| number::decimal(bytes, precision, scale)).transpose()?);
            }
            Values::Text(values) => append_text(values, &self.wire, value)?,
            Values::Point { nulls, x, y } => {
                let point = read(value, |bytes: [u8; 16]| {
                    let (first, second) = bytes.split_at(8);
                    Ok((float(first)?, float(second)?))
                })?;
                nulls.append(point.is_some());
                x.append_option(point.map(|(x, _)| x));
                y.append_option(point.map(|(_, y)| y));
            }
            Values::List { nulls, offsets, length, elements } => {
                nulls.append(value.is_some());
                if let Some(value) = value {
                    for element in array::elements(value)? {
                        elements.append(element?)?;
                        *length = length.checked_add(1).ok_or(ValueError::OutOfRange)?;
                    }
                }
                offsets.push(*length);
            }
        }
        Ok(())
    }

    /// The column.
    pub(super) fn finish(self) -> ArrayRef {
        match self.values {
            Values::Bool(mut values) => Arc::new(values.finish()),
            Values::Int16(mut values) => Arc::new(values.finish()),
            Values::Int32(mut values) => Arc::new(values.finish()),
            Values::Int64(mut values) => Arc::new(values.finish()),
            Values::Float32(mut values) => Arc::new(values.finish()),
            Values::Float64(mut values) => Arc::new(values.finish()),
            Values::Text(mut values) => Arc::new(values.finish()),
            Values::Binary(mut values) => Arc::new(values.finish()),
            Values::Decimal(mut values) => Arc::new(values.finish()),
            Values::Date(mut values) => Arc::new(values.finish()),
            Values::Timestamp(mut values) => Arc::new(values.finish()),
            Values::Point { mut nulls, mut x, mut y } => {
                let columns: Vec<ArrayRef> = vec![Arc::new(x.finish()), Arc::new(y.finish())];
                Arc::new(StructArray::new(point_fields(), columns, nulls.finish()))
            }
            Values::List { mut nulls, offsets, elements, .. } => {
                let field = Arc::new(element_field(&elements.wire));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(field, offsets, elements.finish(), nulls.finish()))
            }
        }
    }
}

/// The value of a type that has always the same length.
fn read<const LENGTH: usize, T>(
    value: Option<&[u8]>,
    of: impl Fn([u8; LENGTH]) -> Result<T, ValueError>,
) -> Result<Option<T>, ValueError> {
    value.map(|bytes| of(bytes.try_into().map_err(|_| ValueError::Malformed)?)).transpose()
}

fn float(bytes: &[u8]) -> Result<f64, ValueError> {
    Ok(f64::from_be_bytes(bytes.try_into().map_err(|_| ValueError::Malformed)?))
}

fn append_text(values: &mut StringBuilder, wire: &Wire, value: Option<&[u8]>) -> Result<(), ValueError> {
    match wire {
        Wire::Uuid => {
            let text = read(value, |bytes: [u8; 16]| Ok(uuid::Uuid::from_bytes(bytes)))?;
            let mut buffer = uuid::Uuid::encode_buffer();
            values.append_option(text.map(|text| text.hyphenated().encode_lower(&mut buffer) as &str));
        }
        Wire::Time => values.append_option(read(value, |bytes| time::time(i64::from_be_bytes(bytes)))?),
        Wire::ZonedTime => values.append_option(read(value, |bytes: [u8; 12]| {
            let (time, west) = bytes.split_at(8);
            let time = i64::from_be_bytes(time.try_into().map_err(|_| ValueError::Malformed)?);
            time::zoned_time(time, i32::from_be_bytes(west.try_into().map_err(|_| ValueError::Malformed)?))
        })?),
        _ => values
            .append_option(value.map(|bytes| str::from_utf8(bytes).map_err(|_| ValueError::Malformed)).transpose()?),
    }
    Ok(())
}
