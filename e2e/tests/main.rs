//! The tests that need real services, in one binary: one link step, and one place to see them all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod chart;
mod cluster;
mod comparison;
mod kind;
mod node;
mod peers;
mod replication;
mod shared;
mod source;
mod stack;
mod strimzi;
