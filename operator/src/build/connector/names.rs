//! Names of tables as Debezium takes them.

use tributary_crds::TableSpec;

/// The setting with the tables: a connector without it takes every table.
pub(crate) const INCLUDE_LIST: &str = "table.include.list";

/// Debezium's list of regular expressions, matched against all of `schema.table`.
pub(crate) fn include_list<'a>(tables: impl IntoIterator<Item = &'a TableSpec>) -> String {
    tables.into_iter().map(|table| escaped(&table.name)).collect::<Vec<_>>().join(",")
}

/// The name as a regular expression that matches just it; Debezium splits the list at commas that have no backslash
/// before them.
pub(crate) fn escaped(name: &str) -> String {
    let special = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' && c != ' ';
    let mut pattern = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if special(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
