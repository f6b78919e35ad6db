//! Whether the table is what it must be, row by row, by the independent reader.

use std::collections::HashMap;

use anyhow::Context;
use serde_json::Value;
use tributary_e2e::oracle::{Header, Oracle, Row, TableLocation};

use crate::workload::{Order, Workload};

/// The columns in the order in which they are compared.
const COLUMNS: [&str; 6] = ["id", "user_id", "total", "status", "placed_at", "note"];

/// Compares every column of every row with what the load must leave.
pub(crate) async fn verify(oracle: &Oracle, table: &TableLocation, workload: Workload) -> anyhow::Result<()> {
    let compared = oracle.read(table, move |header, rows| {
        let mut expected = workload.result();
        let mut wrong: Option<String> = columns(&header).err().map(|error| error.to_string());
        let columns = columns(&header).unwrap_or_default();
        for row in rows {
            let row = row?;
            if wrong.is_none() {
                wrong = compare(&row, &columns, &mut expected).err().map(|error| error.to_string());
            }
        }
        Ok((wrong, expected.len()))
    });
    let (wrong, missing) = compared.await?;
    if let Some(wrong) = wrong {
        anyhow::bail!("the table {} is wrong: {wrong}", table.uri());
    }
    anyhow::ensure!(missing == 0, "the table {} lacks {missing} rows", table.uri());
    Ok(())
}

fn columns(header: &Header) -> anyhow::Result<[usize; 6]> {
    let mut indices = [0; 6];
    for (index, name) in indices.iter_mut().zip(COLUMNS) {
        let found = header.columns.iter().position(|column| column.name == name);
        *index = found.with_context(|| format!("it has no column {name}"))?;
    }
    Ok(indices)
}

/// Takes the row out of what is still expected.
fn compare(row: &Row, columns: &[usize; 6], expected: &mut HashMap<u128, Order>) -> anyhow::Result<()> {
    let values = columns.map(|column| row.get(column).and_then(Value::as_str));
    let id = values[0].map(|id| id.replace('-', "")).unwrap_or_default();
    let order = u128::from_str_radix(&id, 16).ok().and_then(|id| expected.remove(&id));
    let order = order.with_context(|| format!("a row with the key {id} does not belong in it, or is there twice"))?;
    let texts = texts(&order);
    for ((name, value), wanted) in COLUMNS.iter().zip(values).zip(&texts) {
        anyhow::ensure!(
            value == wanted.as_deref(),
            "the row {} has {name} = {value:?} instead of {wanted:?}",
            order.id_text()
        );
    }
    Ok(())
}

/// The row as the reader prints it.
fn texts(order: &Order) -> [Option<String>; 6] {
    [
        Some(order.id_text()),
        Some(order.user_id.to_string()),
        Some(format!("{}.{:02}", order.total / 100, order.total % 100)),
        Some(order.status.to_owned()),
        Some(order.placed_at_us.to_string()),
        order.note(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(order: &Order) -> Row {
        texts(order).into_iter().map(Value::from).collect()
    }

    #[test]
    fn a_missing_update_a_foreign_row_and_a_second_row_of_a_key_are_found() {
        let workload = Workload { rows: 5, updates: 20 };
        let columns = [0, 1, 2, 3, 4, 5];
        let mut expected = workload.result();
        let last = workload.update(19);
        compare(&row(&last), &columns, &mut expected).unwrap();
        assert_eq!(expected.len(), 4);
        compare(&row(&last), &columns, &mut expected).unwrap_err();
        let another = (0..19).map(|update| workload.updated_row(update)).find(|&row| row != workload.updated_row(19));
        let stale = Order::snapshot(another.unwrap());
        let error = compare(&row(&stale), &columns, &mut expected).unwrap_err().to_string();
        assert!(error.contains("instead of"), "{error}");
        let foreign = Order { id: 1, ..last };
        compare(&row(&foreign), &columns, &mut expected).unwrap_err();
    }
}
