//! Tables that are added to a resource that is at work.

use super::*;

const ARRIVING: &str = "post.processors";

/// What a pass writes for a resource with two tables, of which these were captured before.
async fn pass(captured: &Value) -> Asked {
    let (context, asked) = context(&[child("kafka.strimzi.io/v1", "KafkaConnector")], works);
    let two = |resource: &mut Value| {
        resource["spec"]["tables"] = json!([{"name": "public.users"}, {"name": "public.orders"}]);
        resource["status"] = json!({ "capturedTables": captured });
        // So that Kafka, which is not there, is not asked how the first copy goes.
        resource["spec"]["suspend"] = json!(true);
    };
    reconcile(changed(two), context).await.unwrap();
    asked
}

fn config(asked: &Asked) -> Value {
    asked.bodies(&Method::PATCH, "/kafkaconnectors/").pop().unwrap()["spec"]["config"].clone()
}

#[tokio::test]
async fn while_an_added_table_is_copied_the_connector_asks_it_for_values_that_changes_leave_out() {
    let asked = pass(&json!(["public.users"])).await;
    let config = config(&asked);
    assert!(config[ARRIVING].is_string(), "{config}");
    assert_eq!(config["reselector.reselect.columns.include.list"], r"public\.orders:.*");
    let status = asked.bodies(&Method::PATCH, "/status").pop().unwrap();
    assert_eq!(status["status"]["capturedTables"], json!(["public.users"]), "its rows are not all there");
}

#[tokio::test]
async fn no_table_is_asked_when_none_is_being_added() {
    for captured in [json!(null), json!(["public.users", "public.orders"])] {
        let asked = pass(&captured).await;
        assert_eq!(config(&asked)[ARRIVING], Value::Null);
        let status = asked.bodies(&Method::PATCH, "/status").pop().unwrap();
        assert_eq!(status["status"]["capturedTables"], json!(["public.users", "public.orders"]));
    }
}

#[tokio::test]
async fn a_kafka_that_does_not_answer_keeps_nothing_from_being_applied_but_the_connector() {
    let (context, asked) = context(&[child("kafka.strimzi.io/v1", "KafkaConnector")], works);
    let two = |resource: &mut Value| {
        resource["spec"]["tables"] = json!([{"name": "public.users"}, {"name": "public.orders"}]);
        // Nobody listens there.
        resource["spec"]["kafka"] = json!({"external": {"bootstrapServers": "127.0.0.1:1"}});
        resource["status"] = json!({"capturedTables": ["public.users"]});
    };
    reconcile(changed(two), context).await.unwrap_err();
    assert_eq!(asked.bodies(&Method::PATCH, "/statefulsets/").len(), 1);
    let writes = asked.writes();
    assert!(!writes.iter().any(|write| write.contains("/kafkaconnectors/")), "{writes:?}");
    let ready = asked.condition("Ready");
    assert_eq!(ready["status"], "False");
    assert!(ready["message"].as_str().unwrap().contains("127.0.0.1:1"), "{ready}");
}
