//! Text in aligned columns.

/// Lines of equal columns: the first column to the left, numbers to the right, two blanks between.
pub(super) fn aligned(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let header: Vec<String> = header.iter().map(ToString::to_string).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&header).chain(rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(&header).chain(rows).map(line).collect()
}

/// A row of cells.
pub(super) fn row<const N: usize>(cells: [String; N]) -> Vec<String> {
    cells.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_to_the_left_and_numbers_to_the_right() {
        let rows = [row(["users".into(), "20,000".into()]), row(["a".into(), "1".into()])];
        assert_eq!(aligned(&["table", "n"], &rows), ["table       n", "users  20,000", "a           1"]);
    }
}
