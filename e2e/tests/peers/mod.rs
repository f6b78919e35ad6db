//! Other engines at work on the tables that a replicator writes: what they may do is taken in, what they may not is refused.
//!
//! `make peers` runs all of it, with Spark; what needs no Spark is also among the other tests.

mod compaction;
mod delete;
mod delta_rs;
mod log;
mod maintenance;
mod spark;
