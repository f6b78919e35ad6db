//! The load, as pure functions: which rows there are, which of them each update changes, and what must be left at the end.

use std::collections::HashMap;

/// Statuses that updates give.
const STATUSES: [&str; 4] = ["paid", "packed", "shipped", "closed"];
/// 2024-01-01T00:00:00Z, when the first order was placed.
const FIRST_ORDER_S: i64 = 1_704_067_200;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// Rows of the table, all read by the snapshot.
    pub(crate) rows: u64,
    /// Updates after it, each of one row, uniformly at random.
    pub(crate) updates: u64,
}

/// A row of the table, as one event leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Primary key, a UUID.
    pub(crate) id: u128,
    /// `bigint`
    pub(crate) user_id: i64,
    /// `numeric(12,2)`, in cents.
    pub(crate) total: i64,
    /// `text`
    pub(crate) status: &'static str,
    /// `timestamptz`, in microseconds since the epoch.
    pub(crate) placed_at_us: i64,
    /// The update that wrote the row; its `note` says so.
    pub(crate) update: Option<u64>,
}

impl Workload {
    /// The row that update `number` changes.
    pub(crate) fn updated_row(self, number: u64) -> u64 {
        mix(number ^ 0x5DEE_CE66) % self.rows
    }

    /// The row after update `number`.
    pub(crate) fn update(self, number: u64) -> Order {
        let before = Order::snapshot(self.updated_row(number));
        Order { total: number as i64 + 1, status: STATUSES[number as usize % 4], update: Some(number), ..before }
    }

    /// The table after everything, in the order of the snapshot.
    pub(crate) fn last_orders(self) -> impl Iterator<Item = Order> {
        let mut last: Vec<Option<u64>> = vec![None; self.rows as usize];
        for number in 0..self.updates {
            last[self.updated_row(number) as usize] = Some(number);
        }
        let order = move |(row, last): (usize, Option<u64>)| {
            last.map_or_else(|| Order::snapshot(row as u64), |number| self.update(number))
        };
        last.into_iter().enumerate().map(order)
    }

    /// The same by key.
    pub(crate) fn result(self) -> HashMap<u128, Order> {
        self.last_orders().map(|order| (order.id, order)).collect()
    }
}

impl Order {
    /// Row `row` as the snapshot reads it.
    pub(crate) fn snapshot(row: u64) -> Self {
        Self {
            id: id(row),
            user_id: (row % 100_000) as i64 + 1,
            total: (mix(row) % 1_000_000) as i64,
            status: "new",
            placed_at_us: (FIRST_ORDER_S + row as i64 * 7) * 1_000_000 + (mix(row) % 1_000_000) as i64,
            update: None,
        }
    }

    /// The key as Postgres writes it.
    pub(crate) fn id_text(&self) -> String {
        let hex = format!("{:032x}", self.id);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// `text`, null until the first update.
    pub(crate) fn note(&self) -> Option<String> {
        self.update.map(|number| format!("update {number}"))
    }
}

fn id(row: u64) -> u128 {
    (u128::from(mix(2 * row)) << 64) | u128::from(mix(2 * row + 1))
}

/// Splitmix64: spreads consecutive numbers over all of them, each to another one.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_has_every_row_once_with_its_last_update() {
        let workload = Workload { rows: 1000, updates: 3000 };
        let result = workload.result();
        assert_eq!(result.len(), 1000);
        let last = workload.update(2999);
        assert_eq!(result[&last.id], last);
        assert_eq!(result.values().filter_map(|order| order.update).max(), Some(2999));
    }

    #[test]
    fn updates_are_spread_over_all_rows() {
        let workload = Workload { rows: 1000, updates: 1000 };
        let untouched = workload.result().values().filter(|order| order.update.is_none()).count();
        // A thousand throws at a thousand rows leave 1/e of them out.
        assert!((320..420).contains(&untouched), "{untouched}");
    }

    #[test]
    fn keys_are_written_as_uuids() {
        let order = Order::snapshot(0);
        assert_eq!(order.id_text().parse::<String>().unwrap().len(), 36);
        assert_eq!(order.id_text().replace('-', ""), format!("{:032x}", order.id));
    }
}
