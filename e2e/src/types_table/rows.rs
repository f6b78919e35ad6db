//! The SQL that fills and changes the table with every type, made from its columns.

use super::columns::{COLUMNS, TypeColumn};

/// As many rows as the column with the most values needs, and one of nulls.
const ROWS: usize = 11;
/// After so many rounds every row has had every value of every column.
pub(super) const ROUNDS: usize = 11;

pub(super) fn create_every_type() -> String {
    let columns: Vec<_> = COLUMNS.iter().map(|column| format!("{} {}", column.name, column.sql)).collect();
    format!("CREATE TABLE every_type (id integer PRIMARY KEY, {})", columns.join(", "))
}

pub(super) fn seed_every_type() -> String {
    (0..ROWS).map(|row| insert(row, 0)).collect()
}

/// Each row's values become the next ones: one row at a time, so that every row has an event of its own. One row is deleted,
/// one comes again with the same key in the same transaction, and one gets another key.
pub(super) fn change_every_type(round: usize) -> String {
    let mut sql: String = (0..ROWS).map(|row| update(row, round)).collect();
    let id = round % ROWS;
    sql += &format!("BEGIN; DELETE FROM every_type WHERE id = {id};\n{}COMMIT;\n", insert(id, round + 1));
    sql += &format!("UPDATE every_type SET id = {} WHERE id = {};\n", 1000 + round, 100 + round);
    sql += &insert(101 + round, round);
    sql += &format!("DELETE FROM every_type WHERE id = {};\n", 999 + round);
    sql
}

fn insert(row: usize, shift: usize) -> String {
    format!("INSERT INTO every_type ({}) VALUES ({row}, {});\n", names("id, "), literals(row + shift))
}

fn update(row: usize, shift: usize) -> String {
    format!("UPDATE every_type SET ({}) = ROW({}) WHERE id = {row};\n", names(""), literals(row + shift))
}

fn names(first: &str) -> String {
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    format!("{first}{}", names.join(", "))
}

/// Every column's value number `index`, from the start again after the last; nulls for one index in [`ROWS`].
fn literals(index: usize) -> String {
    let literal = |column: &TypeColumn| match index % ROWS {
        0 => "NULL".to_owned(),
        index => format!("'{}'", column.values[index % column.values.len()].replace('\'', "''")),
    };
    COLUMNS.iter().map(literal).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_hold_every_value_of_every_column() {
        let most = COLUMNS.iter().map(|column| column.values.len()).max().unwrap();
        assert_eq!(most, ROWS - 1);
        let seed = seed_every_type();
        for value in COLUMNS.iter().flat_map(|column| column.values).filter(|value| !value.contains('\'')) {
            assert!(seed.contains(&format!("'{value}'")), "{value} is in no row");
        }
    }
}
