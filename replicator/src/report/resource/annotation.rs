//! The annotations that have tables started again, or copied anew. Pure.

use std::collections::BTreeMap;

/// `kubectl annotate cdc shop tributary.dev/restart=public.orders=$(date +%s)`
pub(super) const RESTART: &str = "tributary.dev/restart";

/// `kubectl annotate cdc shop tributary.dev/resync=public.orders=$(date +%s)`
pub(super) const RESYNC: &str = "tributary.dev/resync";

/// What an annotation says: a comma-separated list of `TABLE=TOKEN`. Tables alone have the token of the next that has one.
pub(super) fn wishes(annotation: Option<&str>) -> BTreeMap<String, String> {
    let wishes = annotation.unwrap_or_default().split(',').map(str::trim).filter(|wish| !wish.is_empty());
    let mut next = "";
    let wishes = wishes.rev().map(|wish| match wish.split_once('=') {
        Some((table, token)) => {
            next = token;
            (table.to_owned(), token.to_owned())
        }
        None => (wish.to_owned(), next.to_owned()),
    });
    wishes.collect()
}

/// What the annotation for restarts said so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Table → whatever stands behind its `=`; none before the annotation was looked at.
    seen: Option<BTreeMap<String, String>>,
}

impl Asked {
    /// The tables to be started again now, given the annotation. A table is started once for each new token; what is found first
    /// was asked for before this process started all of them.
    pub(super) fn new_in(&mut self, annotation: Option<&str>) -> Vec<String> {
        let wishes = wishes(annotation);
        let new = match &self.seen {
            Some(seen) => wishes
                .iter()
                .filter(|(table, token)| seen.get(*table) != Some(token))
                .map(|(table, _)| table.clone())
                .collect(),
            None => Vec::new(),
        };
        self.seen = Some(wishes);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_started_again_once_for_each_new_token() {
        let mut asked = Asked::default();
        assert_eq!(asked.new_in(Some("public.old=1")), [""; 0], "asked for before this process started");
        assert_eq!(asked.new_in(Some("public.old=1, public.users=1")), ["public.users"]);
        assert_eq!(asked.new_in(Some("public.old=1, public.users=1")), [""; 0]);
        assert_eq!(asked.new_in(Some("public.users=2,public.orders")), ["public.orders", "public.users"]);
        assert_eq!(asked.new_in(Some("public.users,public.orders=3")), ["public.orders", "public.users"]);
        assert_eq!(asked.new_in(None), [""; 0]);
        assert_eq!(asked.new_in(Some("public.users=2")), ["public.users"], "it was taken away in between");
    }
}
