//! Names inside the database that are ours: slot and publication.

use tributary_crds::{CdcReplication, topic};

/// Postgres cuts longer identifiers off.
const MAX_IDENTIFIER: usize = 63;

/// Name of the replication slot: the one that the resource gives it, or one of lower-case letters, digits and `_`, at most 63,
/// that is different for different resources.
///
/// A slot belongs to the whole server, so it carries the namespace; and `a-b` must differ from `a_b`, so a hash follows.
pub fn slot(resource: &CdcReplication) -> String {
    let given = resource.spec.source.postgres.as_ref().and_then(|postgres| postgres.slot.clone());
    given.unwrap_or_else(|| identifier(&topic::prefix(resource)))
}

/// Name of the publication: the one that the resource gives it, or the same that the slot has without a name of its own.
pub fn publication(resource: &CdcReplication) -> String {
    let given = resource.spec.source.postgres.as_ref().and_then(|postgres| postgres.publication.name.clone());
    given.unwrap_or_else(|| identifier(&topic::prefix(resource)))
}

/// Whether the operator makes and keeps the publication, and not somebody else.
pub(super) fn is_managed(resource: &CdcReplication) -> bool {
    resource.spec.source.postgres.as_ref().is_none_or(|postgres| postgres.publication.managed)
}

fn identifier(prefix: &str) -> String {
    let readable: String = prefix.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let hash = fnv1a(prefix.as_bytes());
    let head = "tributary_";
    let room = MAX_IDENTIFIER - head.len() - 9;
    let readable = readable.to_ascii_lowercase();
    format!("{head}{}_{hash:08x}", &readable[..readable.len().min(room)])
}

/// FNV-1a, 32 bits: short, and the same for ever, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_a_name_that_postgres_takes_and_that_no_other_resource_has() {
        let named = |namespace: &str, name: &str| {
            let resource: CdcReplication = serde_json::from_value(serde_json::json!({
                "metadata": {"namespace": namespace, "name": name},
                "spec": {"source": {}, "tables": [], "kafka": {}, "destination": {"uri": "file:///lake"}},
            }))
            .unwrap();
            assert_eq!(slot(&resource), publication(&resource));
            slot(&resource)
        };
        let (long_a, long_b) = ("n".repeat(63), format!("{}{}", "a".repeat(39), "b"));
        let slots = [
            named("sales", "shop"),
            named("sales-shop", "x"),
            named("sales", "shop-x"),
            named(&long_a, &long_b),
            named(&long_a, &"a".repeat(40)),
        ];
        for slot in &slots {
            assert!(slot.len() <= 63, "{slot}");
            assert!(slot.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{slot}");
            assert_eq!(slots.iter().filter(|other| *other == slot).count(), 1, "{slot}");
        }
        assert_eq!(slots[0], "tributary_sales_shop_4ae46847");
    }

    #[test]
    fn names_that_the_resource_gives_are_taken_as_they_are() {
        let resource: CdcReplication = serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "sales", "name": "shop"},
            "spec": {
                "source": {"postgres": {
                    "host": "db", "database": "shop", "credentials": {"secretName": "db"},
                    "slot": "mine", "publication": {"name": "sales", "managed": false},
                }},
                "tables": [], "kafka": {}, "destination": {"uri": "file:///lake"},
            },
        }))
        .unwrap();
        assert_eq!((slot(&resource).as_str(), publication(&resource).as_str()), ("mine", "sales"));
        assert!(!is_managed(&resource));
    }
}
