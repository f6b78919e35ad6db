//! What the operator's own service account may do: the suite runs with the chart's, and here it is listed.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use tributary_e2e::cluster::{Cluster, SYSTEM_NAMESPACE};

/// Group, resource, verbs that it has, verbs that it must not have.
const RIGHTS: [(&str, &str, &[&str], &[&str]); 10] = [
    ("tributary.dev", "cdcreplications", &["get", "list", "watch", "patch"], &["create", "delete", "deletecollection"]),
    ("tributary.dev", "cdcreplications/status", &["get", "patch"], &[]),
    ("", "secrets", &["get"], &["list", "watch", "create", "update", "patch", "delete"]),
    ("apps", "statefulsets", &["list", "watch", "patch", "delete"], &["deletecollection"]),
    ("apps", "deployments", &[], &["get", "list", "create", "patch", "delete"]),
    ("", "pods", &[], &["create", "delete", "patch"]),
    ("", "namespaces", &[], &["create", "delete", "patch"]),
    ("rbac.authorization.k8s.io", "clusterroles", &[], &["create", "patch", "bind", "escalate", "delete"]),
    ("rbac.authorization.k8s.io", "roles", &["list", "watch", "patch", "delete"], &["escalate"]),
    ("kafka.strimzi.io", "kafkaconnectors", &["list", "watch", "patch", "delete"], &["deletecollection"]),
];

#[tokio::test]
async fn the_operator_may_do_what_it_needs_and_not_more() {
    let cluster = Cluster::connect().await.unwrap();
    for (group, resource, has, has_not) in RIGHTS {
        for (verbs, expected) in [(has, true), (has_not, false)] {
            for verb in verbs {
                assert_eq!(may(&cluster, group, resource, verb).await, expected, "{verb} {group}/{resource}");
            }
        }
    }
}

async fn may(cluster: &Cluster, group: &str, resource: &str, verb: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(name, sub)| (name, Some(sub)));
    let attributes = ResourceAttributes {
        namespace: Some("default".into()),
        group: Some(group.into()),
        resource: Some(resource.into()),
        subresource: subresource.map(Into::into),
        verb: Some(verb.into()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(format!("system:serviceaccount:{SYSTEM_NAMESPACE}:tributary-operator")),
        groups: Some(vec!["system:serviceaccounts".into(), "system:authenticated".into()]),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client.clone());
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}
