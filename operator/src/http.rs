//! `/metrics`, and three probes that mean three things: it has begun, it is alive, it can work.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// The loop is taken for dead when its clock has stood still for this long.
const STALLED: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_secs(1);

/// What the probes answer from.
pub struct Health {
    metrics: Arc<Metrics>,
    started: AtomicBool,
    beat: Mutex<Instant>,
    waits_for: Mutex<Vec<String>>,
}

impl Health {
    /// Nothing has happened yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            started: AtomicBool::new(false),
            beat: Mutex::new(Instant::now()),
            waits_for: Mutex::new(vec!["a first answer of the API server".to_owned()]),
        }
    }

    /// The API server has answered once: settings, credentials and network are right.
    pub fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// What must come before work can be done; nothing: ready.
    pub fn waits_for(&self, what: Vec<String>) {
        *self.waits_for.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Moves the clock by which liveness is judged, for as long as the runtime turns. It never asks the API server:
    /// a restart would not bring that back.
    pub async fn keep_beating(&self) {
        let mut ticks = tokio::time::interval(BEAT);
        loop {
            ticks.tick().await;
            *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    fn startup(&self) -> (StatusCode, String) {
        if self.started.load(Ordering::Relaxed) {
            (StatusCode::OK, "started\n".into())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "the API server has not answered yet\n".into())
        }
    }

    fn liveness(&self, now: Instant) -> (StatusCode, String) {
        let beat = *self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(beat);
        if since < STALLED {
            (StatusCode::OK, "alive\n".into())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, format!("nothing has moved for {} s\n", since.as_secs()))
        }
    }

    fn readiness(&self) -> (StatusCode, String) {
        let waits_for = self.waits_for.lock().unwrap_or_else(PoisonError::into_inner);
        if waits_for.is_empty() {
            return (StatusCode::OK, "ready\n".into());
        }
        let lines: Vec<String> = waits_for.iter().map(|what| format!("waiting for {what}\n")).collect();
        (StatusCode::SERVICE_UNAVAILABLE, lines.concat())
    }
}

/// The port for HTTP cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for HTTP; set TRIBUTARY_HTTP_PORT to a free port")]
pub struct ListenError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Takes the port.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Answers requests until the process ends.
pub async fn serve(listener: TcpListener, health: Arc<Health>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/startupz", get(|State(health): State<Arc<Health>>| async move { health.startup() }))
        .route("/livez", get(|State(health): State<Arc<Health>>| async move { health.liveness(Instant::now()) }))
        .route("/readyz", get(|State(health): State<Arc<Health>>| async move { health.readiness() }))
        .route("/metrics", get(metrics))
        .with_state(health);
    axum::serve(listener, router).await
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match health.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(Arc::default())
    }

    #[test]
    fn it_has_started_when_the_api_server_has_answered() {
        let health = health();
        assert_eq!(health.startup().0, StatusCode::SERVICE_UNAVAILABLE);
        health.started();
        assert_eq!(health.startup().0, StatusCode::OK);
    }

    #[test]
    fn it_lives_while_its_clock_moves_whatever_the_api_server_does() {
        let health = health();
        assert_eq!(health.liveness(Instant::now()).0, StatusCode::OK);
        assert_eq!(health.liveness(Instant::now() + STALLED).0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn it_is_ready_when_it_waits_for_nothing_and_says_what_it_waits_for() {
        let health = health();
        health.waits_for(vec!["the CRD kafkas.kafka.strimzi.io".into()]);
        let (status, text) = health.readiness();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "waiting for the CRD kafkas.kafka.strimzi.io\n");
        health.waits_for(Vec::new());
        assert_eq!(health.readiness().0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_setting_that_cures_it() {
        let taken = listen((std::net::Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("TRIBUTARY_HTTP_PORT"), "{error}");
    }
}
