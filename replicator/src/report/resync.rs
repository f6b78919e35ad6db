//! Wishes for copies anew: an annotation says them, and the task of the table takes them in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last wish for each table. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Resyncs {
    tables: Arc<Mutex<BTreeMap<String, Wishes>>>,
}

#[derive(Debug, Default)]
struct Wishes {
    wished: Option<String>,
    /// Its task has looked at the log of the table.
    looked: bool,
    /// What that said.
    taken_in: Option<String>,
}

impl Resyncs {
    /// Wishes that a table be copied anew. True when its task has to start again to see that; one that has not looked yet sees it by
    /// itself.
    pub fn ask(&self, table: &str, wish: &str) -> bool {
        let mut tables = self.tables();
        let Wishes { wished, looked, taken_in } = tables.entry(table.to_owned()).or_default();
        let is_new = wished.as_deref() != Some(wish);
        *wished = Some(wish.to_owned());
        is_new && *looked && taken_in.as_deref() != Some(wish)
    }

    /// What is wished and was not taken in yet; `taken_in` is the wish that the log of the table has.
    pub fn wish(&self, table: &str, taken_in: Option<&str>) -> Option<String> {
        let mut tables = self.tables();
        let wishes = tables.entry(table.to_owned()).or_default();
        (wishes.looked, wishes.taken_in) = (true, taken_in.map(str::to_owned));
        wishes.wished.clone().filter(|wish| taken_in != Some(wish))
    }

    /// Forgets the wishes that are not among those `asked` for any more. The tables that had one.
    pub fn keep(&self, asked: &BTreeMap<String, String>) -> Vec<String> {
        let mut tables = self.tables();
        let withdrawn = tables.iter_mut().filter(|(table, _)| !asked.contains_key(*table));
        withdrawn.filter_map(|(table, wishes)| wishes.wished.take().map(|_| table.clone())).collect()
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<String, Wishes>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_there_until_the_log_of_the_table_has_it() {
        let resyncs = Resyncs::default();
        assert_eq!(resyncs.wish("public.users", None), None);
        assert!(resyncs.ask("public.users", "1"));
        assert!(!resyncs.ask("public.users", "1"), "it was asked for already");
        assert_eq!(resyncs.wish("public.users", None).as_deref(), Some("1"));
        assert_eq!(resyncs.wish("public.users", Some("1")), None);
        assert!(resyncs.ask("public.users", "2"));
        assert_eq!(resyncs.wish("public.users", Some("1")).as_deref(), Some("2"));
        assert_eq!(resyncs.wish("public.orders", None), None);
    }

    #[test]
    fn a_wish_that_is_withdrawn_is_forgotten() {
        let resyncs = Resyncs::default();
        resyncs.ask("public.users", "1");
        resyncs.ask("public.orders", "1");
        let asked = BTreeMap::from([("public.orders".to_owned(), "1".to_owned())]);
        assert_eq!(resyncs.keep(&asked), ["public.users"]);
        assert_eq!(resyncs.keep(&asked), [""; 0]);
        assert_eq!(resyncs.wish("public.users", None), None);
        assert_eq!(resyncs.wish("public.orders", None).as_deref(), Some("1"));
    }

    #[test]
    fn a_wish_of_before_the_process_starts_no_table_again() {
        let resyncs = Resyncs::default();
        assert!(!resyncs.ask("public.users", "1"), "its task looks yet");
        assert_eq!(resyncs.wish("public.users", Some("1")), None);
        resyncs.wish("public.orders", Some("1"));
        assert!(!resyncs.ask("public.orders", "1"), "that was done");
    }
}
