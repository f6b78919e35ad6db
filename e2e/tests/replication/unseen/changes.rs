//! The rows of the matrix, from changes.sql.

const ROWS: &str = "INSERT INTO {t} SELECT n, 'row ' || n FROM generate_series(1, 2000) n";
const PLAIN: &str = "CREATE TABLE {t} (id int PRIMARY KEY, a text); {rows}";
const PARTS: &str = "CREATE TABLE {t} (id int PRIMARY KEY, a text) PARTITION BY RANGE (id);
    CREATE TABLE {t}_low PARTITION OF {t} FOR VALUES FROM (0) TO (1000);
    CREATE TABLE {t}_high PARTITION OF {t} FOR VALUES FROM (1000) TO (9000); {rows}";
const AFTER: &str = "DELETE FROM {t} WHERE id % 2 = 1; UPDATE {t} SET a = a || '?'";

/// A table, and its statements: how it is made, what is done to it, and what comes as events afterwards.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) table: &'static str,
    pub(super) made: Vec<String>,
    pub(super) statements: Vec<String>,
    pub(super) after: Vec<String>,
}

impl Change {
    /// An event that changes nothing.
    pub(super) fn touch(&self) -> String {
        let table = self.table;
        format!("UPDATE {table} SET id = id WHERE id = (SELECT min(id) FROM {table})")
    }
}

/// All rows, in a database and with a publication of these names.
pub(super) fn all(database: &str, publication: &str) -> Vec<Change> {
    let rows = include_str!("changes.sql").split("\n-- TABLE ").skip(1);
    rows.map(|row| {
        let (table, rest) = row.split_once(':').unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let (made, rest) = rest.split_once("-- CHANGE\n").unwrap();
        let (change, after) = rest.split_once("-- AFTER\n").unwrap_or((rest, AFTER));
        let made = if made.is_empty() { PLAIN } else { made };
        let of_test = |sql: String| sql.replace("{database}", database).replace("{publication}", publication);
        let statements = |sql: &str| statements(sql, table).into_iter().map(of_test).collect();
        Change { table, made: statements(made), statements: statements(change), after: statements(after) }
    })
    .collect()
}

fn statements(sql: &str, table: &str) -> Vec<String> {
    let sql = sql.replace("{parts}", PARTS).replace("{rows}", ROWS).replace("{t}", table);
    sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_matrix_has_a_row_for_each_of_its_cases() {
    let rows = all("database", "publication");
    for case in ["c02", "c03", "c04", "c05", "c07", "c11", "c12", "h3"] {
        assert!(rows.iter().any(|row| row.table.starts_with(case)), "{case}");
    }
    let sql: Vec<&String> =
        rows.iter().flat_map(|row| row.made.iter().chain(&row.statements).chain(&row.after)).collect();
    assert!(sql.iter().all(|sql| !sql.contains(['{', '}']) && !sql.contains("--")), "{sql:#?}");
    let truncated = rows.iter().find(|row| row.table == "truncated_part").unwrap();
    assert_eq!((truncated.made.len(), truncated.statements.len(), truncated.after.len()), (4, 1, 2), "{truncated:#?}");
}
