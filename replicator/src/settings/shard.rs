//! Which tables are one process's share.

use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

/// One of `replicas` processes that divide the tables among them: written `0/3`, `1/3`, `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    ordinal: u32,
    replicas: u32,
}

/// The text is not a share.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a shard: write ORDINAL/REPLICAS, counted from 0, such as 0/3, 1/3 or 2/3")]
pub struct ShardError(String);

impl Shard {
    /// One process for all tables.
    pub const ALL: Self = Self { ordinal: 0, replicas: 1 };

    /// Which of the processes this is, counted from 0.
    pub const fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// How many processes there are.
    pub const fn replicas(self) -> u32 {
        self.replicas
    }

    /// Whether a table, given as `schema.table`, is this share's. The hash is the same on every machine and for ever.
    pub fn owns(self, table: &str) -> bool {
        xxh3_64(table.as_bytes()) % u64::from(self.replicas) == u64::from(self.ordinal)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parse = || {
            let (ordinal, replicas) = text.split_once('/')?;
            let shard = Self { ordinal: ordinal.parse().ok()?, replicas: replicas.parse().ok()? };
            (shard.ordinal < shard.replicas).then_some(shard)
        };
        parse().ok_or_else(|| ShardError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_belongs_to_exactly_one_shard() {
        let shards: Vec<Shard> = ["0/3", "1/3", "2/3"].iter().map(|text| text.parse().unwrap()).collect();
        for n in 0..100 {
            let table = format!("public.t{n}");
            assert_eq!(shards.iter().filter(|shard| shard.owns(&table)).count(), 1, "{table}");
            assert!(Shard::ALL.owns(&table));
        }
        assert!(shards.iter().all(|shard| (0..100).any(|n| shard.owns(&format!("public.t{n}")))));
    }

    #[test]
    fn a_table_does_not_move_between_releases() {
        let shard: Shard = "1/3".parse().unwrap();
        let own: Vec<&str> = ["public.users", "public.orders", "public.products"]
            .into_iter()
            .filter(|table| shard.owns(table))
            .collect();
        assert_eq!(own, ["public.users"]);
    }

    #[test]
    fn what_is_not_a_shard_is_refused_with_the_form() {
        for text in ["", "1", "1/1", "3/2", "a/b", "0/0", "-1/2"] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains("0/3, 1/3 or 2/3"), "{error}");
        }
    }
}
