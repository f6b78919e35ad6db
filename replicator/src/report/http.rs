//! `/metrics`, `/healthz`, `/readyz`, `/tables` and `/tables/NAME/restart`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::{Board, Restarts, TableState};

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

/// What is asked about.
#[derive(Clone)]
struct Served {
    board: Board,
    restarts: Restarts,
}

/// Answers requests about `board`, and takes wishes for restarts, until `stop` completes.
pub async fn serve(
    listener: TcpListener,
    board: Board,
    restarts: Restarts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/tables", get(tables))
        .route("/tables/{name}/restart", post(restart))
        .route("/metrics", get(metrics))
        .with_state(Served { board, restarts });
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn tables(State(served): State<Served>) -> Json<Vec<TableState>> {
    Json(served.board.tables(Timestamp::now()))
}

async fn restart(State(served): State<Served>, Path(name): Path<String>) -> (StatusCode, String) {
    if served.restarts.restart(&name) {
        (StatusCode::ACCEPTED, format!("{name} is started again\n"))
    } else {
        (StatusCode::NOT_FOUND, format!("there is no table {name} here; /tables lists them\n"))
    }
}

async fn ready(State(served): State<Served>) -> (StatusCode, String) {
    readiness(&served.board.tables(Timestamp::now()))
}

async fn metrics(State(served): State<Served>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match served.board.metrics(Timestamp::now()) {
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
    use crate::policy::Policy;
    use crate::report::{RestartError, StatusError};

    fn anywhere() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 0).into()
    }

    async fn start(board: Board) -> String {
        start_with(board, Restarts::new([]).0).await
    }

    async fn start_with(board: Board, restarts: Restarts) -> String {
        let listener = listen(anywhere(), "--http").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, board, restarts, std::future::pending()));
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
        board.table("public.users", "s3://lake/users").stopped(Policy::Stop, "gone");
        let url = start(board.clone()).await;
        let tables: Vec<TableState> = reqwest::get(format!("{url}/tables")).await.unwrap().json().await.unwrap();
        assert_eq!(tables, board.tables(Timestamp::now()));
        let metrics = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
        assert!(metrics.contains(r#"tributary_table_failed{table="public.users"} 1"#) && metrics.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn a_table_that_is_here_can_be_started_again_and_no_other() {
        let (restarts, mut asked) = Restarts::new(["public.users".to_owned(), "odd/näme".to_owned()]);
        let url = start_with(Board::new(Budget::new(1)), restarts).await.parse().unwrap();
        for table in ["public.users", "odd/näme"] {
            super::super::restart(&url, table).await.unwrap();
            assert_eq!(asked.recv().await.unwrap(), table);
        }
        let error = super::super::restart(&url, "public.nobody").await.unwrap_err();
        assert!(matches!(error, RestartError::UnknownTable { .. }), "{error}");
        assert!(error.to_string().contains("public.nobody"), "{error}");
        let nobody = super::super::restart(&"http://127.0.0.1:1".parse().unwrap(), "x").await.unwrap_err();
        assert!(matches!(nobody, RestartError::Status(StatusError::NoAnswer { .. })), "{nobody}");
    }
}
