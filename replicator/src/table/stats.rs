//! Statistics of a data file in the log: its rows, and the bounds of those columns that are safe to prune by.

use arrow_array::Date32Array;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, FieldRef, TimeUnit};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

use super::columns::Columns;

/// The columns by which files may be skipped: those of the key and of `clusterBy`. Decimals are compared as floating point
/// by some readers and may end up outside of their bounds; floats have values without order.
pub(super) fn stats_columns(columns: &Columns, partition_by: &[String], cluster_by: &[String]) -> Vec<String> {
    let arrow = columns.arrow();
    let keys = columns.key().iter().map(|&column| arrow.field(column));
    let clustered = cluster_by.iter().filter_map(|name| arrow.field_with_name(name).ok());
    let clustered = clustered.filter(|field| !columns.key_names().contains(&field.name().as_str()));
    let safe = keys.chain(clustered).filter(|field| {
        matches!(
            field.data_type(),
            DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Date32
                | DataType::Timestamp(TimeUnit::Microsecond, _)
                | DataType::Utf8
        ) && !partition_by.contains(field.name())
    });
    safe.map(|field| field.name().clone()).collect()
}

/// What the log says of a file that was written, from what Parquet knows of it.
pub(super) fn of_file(metadata: &ParquetMetaData, columns: &[FieldRef]) -> String {
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for field in columns {
        let Some(bounds) = bounds(metadata, field) else { continue };
        nulls.insert(field.name().clone(), bounds.nulls.into());
        let both = bounds.least.zip(bounds.greatest);
        let json =
            |(from, to): (Bound, Bound)| from.into_json(field, End::Least).zip(to.into_json(field, End::Greatest));
        if let Some((from, to)) = both.and_then(json) {
            least.insert(field.name().clone(), from);
            greatest.insert(field.name().clone(), to);
        }
    }
    let rows = metadata.file_metadata().num_rows();
    json!({"numRecords": rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}).to_string()
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Bound {
    Number(i64),
    Text(String),
}

impl Bound {
    /// `None` for what JSON cannot say in the way of Delta.
    fn into_json(self, field: &FieldRef, end: End) -> Option<Value> {
        match (self, field.data_type()) {
            (Self::Number(micros), DataType::Timestamp(_, zone)) => {
                let text = milliseconds(micros, end)?;
                Some(if zone.is_some() { format!("{text}Z") } else { text }.into())
            }
            (Self::Number(days), DataType::Date32) => {
                let text = array_value_to_string(&Date32Array::from(vec![days as i32]), 0).ok()?;
                (!text.starts_with(['+', '-'])).then(|| text.into())
            }
            (Self::Number(number), _) => Some(number.into()),
            (Self::Text(text), _) => Some(text.into()),
        }
    }
}

/// Which bound of a column it is.
#[derive(Clone, Copy, Debug)]
enum End {
    Least,
    Greatest,
}

/// A time as the log has it, in milliseconds: what is finer moves outwards, so that it stays a bound for readers that do
/// not know of it ("Per-file Statistics" of the Delta protocol lets them be cut). `None` outside of years 1 to 9999.
fn milliseconds(micros: i64, end: End) -> Option<String> {
    let milliseconds = match end {
        End::Least => micros.div_euclid(1000),
        End::Greatest => micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0),
    };
    let time = Timestamp::from_millisecond(milliseconds).ok()?.to_zoned(TimeZone::UTC);
    (1..=9999).contains(&time.year()).then(|| time.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

struct Bounds {
    least: Option<Bound>,
    greatest: Option<Bound>,
    nulls: u64,
}

/// Bounds of a column over all row groups; a text that Parquet cut short is no bound.
fn bounds(metadata: &ParquetMetaData, field: &FieldRef) -> Option<Bounds> {
    let descriptor = metadata.file_metadata().schema_descr();
    let column = (0..descriptor.num_columns())
        .find(|&column| descriptor.column(column).path().parts() == [field.name().as_str()])?;
    let mut all = Bounds { least: None, greatest: None, nulls: 0 };
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        let statistics = row_group.column(column).statistics()?;
        all.nulls += statistics.null_count_opt()?;
        let (least, greatest) = of_group(statistics);
        if group == 0 {
            (all.least, all.greatest) = (least, greatest);
        } else {
            all.least = all.least.zip(least).map(|(one, other)| if one <= other { one } else { other });
            all.greatest = all.greatest.zip(greatest).map(|(one, other)| if one >= other { one } else { other });
        }
    }
    Some(all)
}

fn of_group(statistics: &Statistics) -> (Option<Bound>, Option<Bound>) {
    if !(statistics.min_is_exact() && statistics.max_is_exact()) {
        return (None, None);
    }
    match statistics {
        Statistics::Int32(numbers) => {
            let number = |number: &i32| Bound::Number(i64::from(*number));
            (numbers.min_opt().map(number), numbers.max_opt().map(number))
        }
        Statistics::Int64(numbers) => {
            let number = |number: &i64| Bound::Number(*number);
            (numbers.min_opt().map(number), numbers.max_opt().map(number))
        }
        Statistics::ByteArray(texts) => {
            let text = |text: &parquet::data_type::ByteArray| {
                std::str::from_utf8(text.data()).ok().map(|text| Bound::Text(text.to_owned()))
            };
            (texts.min_opt().and_then(text), texts.max_opt().and_then(text))
        }
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_bounded_by_whole_milliseconds_around_it() {
        for (micros, least, greatest) in [
            (1_795_842_000_123_456, "2026-11-28T05:00:00.123", "2026-11-28T05:00:00.124"),
            (1_795_842_000_123_000, "2026-11-28T05:00:00.123", "2026-11-28T05:00:00.123"),
            (-1, "1969-12-31T23:59:59.999", "1970-01-01T00:00:00.000"),
            (0, "1970-01-01T00:00:00.000", "1970-01-01T00:00:00.000"),
        ] {
            assert_eq!(milliseconds(micros, End::Least).as_deref(), Some(least), "{micros}");
            assert_eq!(milliseconds(micros, End::Greatest).as_deref(), Some(greatest), "{micros}");
        }
    }

    #[test]
    fn a_time_that_readers_cannot_write_down_is_no_bound() {
        for micros in [i64::MIN, i64::MAX, -62_135_596_800_000_001, 253_402_300_800_000_000] {
            assert_eq!(milliseconds(micros, End::Least), None, "{micros}");
        }
    }
}
