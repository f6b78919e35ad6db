//! `/metrics`, `/healthz`, `/readyz` and `/tables`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::{Board, TableState};

/// The address for HTTP cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for HTTP; set {setting} to an address of this machine and a free port")]
pub struct ListenError {
    address: SocketAddr,
    setting: &'static str,
    #[source]
    source: std::io::Error,
}

/// Takes the address; `setting` is how an operator chooses another one, for the error.
pub async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, setting, source })
}

/// Answers requests about `board` until `stop` completes.
pub async fn serve(
    listener: TcpListener,
    board: Board,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/tables", get(tables))
        .route("/metrics", get(metrics))
        .with_state(board);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn tables(State(board): State<Board>) -> Json<Vec<TableState>> {
    Json(board.tables(Timestamp::now()))
}

async fn ready(State(board): State<Board>) -> (StatusCode, String) {
    readiness(&board.tables(Timestamp::now()))
}

async fn metrics(State(board): State<Board>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match board.metrics(Timestamp::now()) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Ready when every table works; else one line per table that does not.
fn readiness(tables: &[TableState]) -> (StatusCode, String) {
    let mut lines = String::new();
    for table in tables.iter().filter(|table| !table.phase.works()) {
        let message = table.message.as_deref().unwrap_or("no message");
        // Cannot fail: a String takes everything.
        let _ = writeln!(lines, "{}: {:?}: {message}", table.name, table.phase);
    }
    if lines.is_empty() { (StatusCode::OK, "ready\n".into()) } else { (StatusCode::SERVICE_UNAVAILABLE, lines) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::consume::Budget;

    fn anywhere() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 0).into()
    }

    async fn start(board: Board) -> String {
        let listener = listen(anywhere(), "--http").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, board, std::future::pending()));
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_setting_that_cures_it() {
        let taken = listen(anywhere(), "--http").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address, "--http").await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--http"), "{error}");
    }

    #[tokio::test]
    async fn it_is_ready_when_every_table_works_and_says_what_is_waited_for_until_then() {
        let board = Board::new(Budget::new(1));
        let users = board.table("public.users", "u");
        users.waiting("topic shop.users does not exist yet");
        board.table("public.orders", "o").assigned(&[].into(), &[]);
        let url = start(board).await;
        assert_eq!(reqwest::get(format!("{url}/healthz")).await.unwrap().status(), 200);
        let response = reqwest::get(format!("{url}/readyz")).await.unwrap();
        assert_eq!(response.status(), 503);
        let text = response.text().await.unwrap();
        assert_eq!(text, "public.users: Waiting: topic shop.users does not exist yet\n");
        users.assigned(&[].into(), &[]);
        assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn tables_and_metrics_are_served() {
        let board = Board::new(Budget::new(1));
        board.table("public.users", "s3://lake/users").failed("gone");
        let url = start(board.clone()).await;
        let tables: Vec<TableState> = reqwest::get(format!("{url}/tables")).await.unwrap().json().await.unwrap();
        assert_eq!(tables, board.tables(Timestamp::now()));
        let metrics = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
        assert!(metrics.contains(r#"tributary_table_failed{table="public.users"} 1"#) && metrics.ends_with("# EOF\n"));
    }
}
