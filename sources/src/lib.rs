//! The databases that are replicated, looked at beside their stream of changes: one folder for each kind.

pub mod postgres;
