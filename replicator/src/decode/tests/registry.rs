//! The registry client against a server that answers as a registry did.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use url::Url;

use super::AVRO_SCHEMAS;
use crate::decode::registry::RegisteredSchema;
use crate::decode::{Decoder, RegistryClient, RegistryConfig, RegistryError};

/// Serves `router` until the test ends. Returns its address.
async fn serve(router: Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}/api")).unwrap()
}

pub(super) fn client(url: Url) -> RegistryClient {
    RegistryClient::new(RegistryConfig { url, basic_auth: None, ca_pem: None, identity_pem: None }).unwrap()
}

/// A client of a registry that holds the recorded schemas.
pub(in crate::decode) async fn recorded() -> RegistryClient {
    client(serve(recorded_registry(Vec::new())).await)
}

/// A decoder whose registry holds the recorded schemas.
pub(super) async fn avro_decoder() -> Decoder {
    Decoder::avro(recorded().await)
}

/// A decoder whose registry holds one schema, with id 1.
pub(super) async fn avro_decoder_of(schema: &Value) -> Decoder {
    Decoder::avro(client(serve(recorded_registry(vec![(1, schema.to_string())])).await))
}

fn recorded_registry(mut schemas: Vec<(u64, String)>) -> Router {
    for line in AVRO_SCHEMAS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        schemas.push((line["id"].as_u64().unwrap(), line["schema"].to_string()));
    }
    let schemas: Arc<HashMap<_, _>> = Arc::new(schemas.into_iter().rev().collect());
    let answer = move |Path(id): Path<u64>| async move {
        let schema = schemas.get(&id).ok_or((StatusCode::NOT_FOUND, Json(json!({"error_code": 40403}))))?;
        Ok::<_, (StatusCode, Json<Value>)>(Json(json!({"schema": schema})))
    };
    Router::new().route("/api/schemas/ids/{id}", get(answer))
}

/// What a registry that answers everything with `status` and `body` makes of a question.
async fn answered(status: StatusCode, body: &'static str) -> Result<RegisteredSchema, RegistryError> {
    client(serve(Router::new().fallback(move || async move { (status, body) })).await).schema(7).await
}

#[tokio::test]
async fn a_schema_is_asked_for_once() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move || async move {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Json(json!({"schema": "\"string\"", "schemaType": "AVRO"}))
    };
    let client = client(serve(Router::new().route("/api/schemas/ids/7", get(answer))).await);
    for client in [client.clone(), client] {
        assert_eq!(client.schema(7).await.unwrap(), RegisteredSchema::Avro("\"string\"".into()));
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let answer = |headers: HeaderMap| async move {
        match headers.get("authorization").map(HeaderValue::as_bytes) {
            // ann:secret
            Some(b"Basic YW5uOnNlY3JldA==") => Ok(Json(json!(["shop.users-value"]))),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    };
    let url = serve(Router::new().route("/api/subjects", get(answer))).await;
    let with = |password: &str| {
        let basic_auth = Some(("ann".to_owned(), password.to_owned()));
        RegistryClient::new(RegistryConfig { url: url.clone(), basic_auth, ca_pem: None, identity_pem: None }).unwrap()
    };
    with("secret").check().await.unwrap();
    let error = with("guess").check().await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { status: StatusCode::UNAUTHORIZED, .. }), "{error}");
    assert!(!format!("{:?}", with("secret")).contains("secret"));
}

#[tokio::test]
async fn a_registry_that_cannot_answer_now_is_an_error_to_retry() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS] {
        let error = answered(status, "").await.unwrap_err();
        assert!(matches!(error, RegistryError::Status { status: s, .. } if s == status), "{error}");
    }
    let error = answered(StatusCode::FORBIDDEN, "").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_that_does_not_listen_is_unreachable_and_its_password_is_not_shown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://ann:secret@{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = client(url).schema(7).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn what_is_no_registry_is_told_apart() {
    let error = answered(StatusCode::OK, "<html>").await.unwrap_err();
    assert!(matches!(error, RegistryError::NotARegistry { .. }), "{error}");
    let nothing = client(serve(Router::new()).await).check().await.unwrap_err();
    assert!(matches!(nothing, RegistryError::NotARegistry { .. }), "{nothing}");
}

#[tokio::test]
async fn ids_without_a_schema_and_schemas_of_other_kinds_are_answers() {
    assert_eq!(answered(StatusCode::NOT_FOUND, "").await.unwrap(), RegisteredSchema::Unknown);
    let protobuf = r#"{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";"}"#;
    assert_eq!(answered(StatusCode::OK, protobuf).await.unwrap(), RegisteredSchema::Other);
}

#[test]
fn a_certificate_that_is_none_is_refused_at_once() {
    let url = Url::parse("https://registry").unwrap();
    let ca_pem = Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec());
    let error = RegistryClient::new(RegistryConfig { url, basic_auth: None, ca_pem, identity_pem: None }).unwrap_err();
    assert!(matches!(error, RegistryError::Setup { .. }), "{error}");
}
