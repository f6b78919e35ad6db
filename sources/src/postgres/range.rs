//! A table in parts, by ranges of the first column of its key: where that has an order that Rust and Postgres agree on.

use serde::{Deserialize, Serialize};

use super::{Column, Session, SourceError, sql};

/// A value of the column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyValue {
    /// Of an integer.
    Integer(i64),
    /// Of a UUID, in lower case: it sorts as text as it does as 16 bytes.
    Text(String),
}

/// Rows whose key comes after one value, up to another one: that one too. Without a bound, all rows on that side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// Only rows after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<KeyValue>,
    /// Only rows up to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<KeyValue>,
}

/// The column by whose values a table is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeColumn {
    name: String,
    sql_type: &'static str,
}

impl RangeColumn {
    /// `None` for a type that has another order, or none, here: the table is not divided then.
    pub fn of(column: &Column) -> Option<Self> {
        let sql_type = match (column.base.as_str(), column.dimensions) {
            ("int2" | "int4" | "int8", 0) => "bigint",
            ("uuid", 0) => "uuid",
            _ => return None,
        };
        Some(Self { name: column.name.clone(), sql_type })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rows of a range, as a condition in SQL; `None` when these are all.
    pub fn condition(&self, range: &Range) -> Option<String> {
        let bound = |operator: &str, value: &KeyValue| {
            let literal = match value {
                KeyValue::Integer(value) => value.to_string(),
                KeyValue::Text(value) => value.replace('\'', ""),
            };
            format!("{} {operator} '{literal}'::{}", sql::identifier(&self.name), self.sql_type)
        };
        let after = range.after.as_ref().map(|value| bound(">", value));
        let up_to = range.up_to.as_ref().map(|value| bound("<=", value));
        let bounds: Vec<String> = after.into_iter().chain(up_to).collect();
        (!bounds.is_empty()).then(|| bounds.join(" AND "))
    }

    /// The value of the row with this number, from 1, in a range, by the order of the column; `None` when it has no more rows
    /// than that. Reads the key's index and no rows.
    pub async fn nth(
        &self,
        session: &Session,
        table: &str,
        range: &Range,
        rows: u64,
    ) -> Result<Option<KeyValue>, SourceError> {
        let name = sql::identifier(&self.name);
        let condition = self.condition(range).map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        // The one after it as well: a range that holds the rest has no upper bound. The column is named with its table: its name
        // alone would be that of the text, and all rows would be sorted by it.
        let query = format!(
            "SELECT ({name})::text FROM {} AS rows{condition} ORDER BY rows.{name} OFFSET {} LIMIT 2",
            sql::table(table),
            rows.saturating_sub(1)
        );
        let found = session.query(&query, &[]).await;
        let found = found.map_err(SourceError::statement(format!("divide the rows of {table}")))?;
        let [row, _] = found.as_slice() else { return Ok(None) };
        let text: String = row.get(0);
        match self.sql_type {
            "uuid" => Ok(Some(KeyValue::Text(text))),
            _ => match text.parse() {
                Ok(value) => Ok(Some(KeyValue::Integer(value))),
                Err(_) => Err(SourceError::Answer { what: "the key of a row", text }),
            },
        }
    }
}

impl Range {
    /// Whether it has this value.
    pub fn contains(&self, value: &KeyValue) -> bool {
        self.after.as_ref().is_none_or(|after| value > after) && self.up_to.as_ref().is_none_or(|up_to| value <= up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(base: &str) -> Column {
        Column {
            name: "an id".to_owned(),
            sql_type: base.to_owned(),
            base: base.to_owned(),
            is_enum: false,
            dimensions: 0,
            toastable: false,
            nullable_with_default: false,
            generated: false,
            in_key: true,
        }
    }

    #[test]
    fn a_range_is_a_condition_of_its_bounds() {
        let column = RangeColumn::of(&column("int4")).unwrap();
        let range = |after: Option<i64>, up_to: Option<i64>| Range {
            after: after.map(KeyValue::Integer),
            up_to: up_to.map(KeyValue::Integer),
        };
        assert_eq!(column.condition(&range(None, None)), None);
        assert_eq!(column.condition(&range(None, Some(7))).unwrap(), "\"an id\" <= '7'::bigint");
        let both = column.condition(&range(Some(-3), Some(7))).unwrap();
        assert_eq!(both, "\"an id\" > '-3'::bigint AND \"an id\" <= '7'::bigint");
        let contained: Vec<i64> =
            (-5..10).filter(|value| range(Some(-3), Some(7)).contains(&KeyValue::Integer(*value))).collect();
        assert_eq!(contained, (-2..=7).collect::<Vec<_>>());
    }

    #[test]
    fn only_what_sorts_alike_here_and_there_divides_a_table() {
        assert!(RangeColumn::of(&column("uuid")).is_some());
        for base in ["text", "numeric", "float8"] {
            assert_eq!(RangeColumn::of(&column(base)), None);
        }
    }
}
