//! What stands in an event for a value that did not change and is not in the source's log.

use kube::ResourceExt;

use crate::{CdcReplication, topic};

/// Header of every message that says which placeholder it was written with. Without it, Debezium's own was used.
pub const HEADER: &str = "tributary.placeholder";

/// Debezium's `unavailable.value.placeholder` of a resource. No application writes it into a column by accident, as somebody who
/// has read of the default may: it has the resource's uid, or its name when a file has none.
pub fn placeholder(resource: &CdcReplication) -> String {
    format!("__tributary_unavailable_{}", resource.uid().unwrap_or_else(|| topic::prefix(resource)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_its_own() {
        let spec = serde_json::json!({"source": {}, "tables": [], "kafka": {}, "destination": {"uri": "file:///tmp"}});
        let document = serde_json::json!({"metadata": {"name": "shop", "namespace": "sales"}, "spec": spec});
        let mut resource: CdcReplication = serde_json::from_value(document).unwrap();
        assert_eq!(placeholder(&resource), "__tributary_unavailable_sales.shop");
        resource.metadata.uid = Some("5cb3a7".to_owned());
        assert_eq!(placeholder(&resource), "__tributary_unavailable_5cb3a7");
    }
}
