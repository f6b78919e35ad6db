//! What the `ServiceAccount` of Kafka Connect may read: exactly the Secrets that the connector's configuration names.

use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::Component;
use crate::plan::Plan;

pub(super) fn role(plan: &Plan) -> (Role, RoleBinding) {
    // Strimzi has a Role and a binding of its own, named after the cluster, and would write over these.
    let name = format!("{}-connector-secrets", plan.name);
    let rule = PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec!["secrets".to_owned()]),
        resource_names: Some(plan.connect.secrets.iter().cloned().collect()),
        verbs: vec!["get".to_owned()],
        ..PolicyRule::default()
    };
    let role = Role { metadata: Component::Connect.owned(plan, name.clone()), rules: Some(vec![rule]) };
    // Strimzi gives its workers this account.
    let account = format!("{}-connect", plan.connect.name);
    (role, binding(Component::Connect, plan, &name, &account))
}

/// Gives a Role to an account of the resource's namespace.
pub(super) fn binding(component: Component, plan: &Plan, role: &str, account: &str) -> RoleBinding {
    RoleBinding {
        metadata: component.owned(plan, role.to_owned()),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "Role".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: account.to_owned(),
            namespace: Some(plan.namespace.clone()),
            ..Subject::default()
        }]),
    }
}
