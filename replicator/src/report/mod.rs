//! Metrics, health, the state of each table.
