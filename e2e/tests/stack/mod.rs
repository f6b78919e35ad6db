//! The stack itself: every part answers real calls, survives what tests do to it, and leaves nothing behind.

mod program;
mod whole;

use std::time::{Duration, Instant};

use tributary_e2e::stack::ProcessId;

/// Waits until a condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited 60 s in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until none of these processes runs.
async fn until_gone(processes: &[ProcessId]) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let alive: Vec<_> = processes.iter().filter(|id| id.is_alive()).collect();
        if alive.is_empty() {
            return;
        }
        let status = |id: &&ProcessId| std::fs::read_to_string(format!("/proc/{}/status", id.pid)).unwrap_or_default();
        assert!(Instant::now() < deadline, "still alive after 60 s: {}", alive.iter().map(status).collect::<String>());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
