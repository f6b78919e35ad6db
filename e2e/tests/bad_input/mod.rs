//! What can be wrong with what the replicator is given, and what it says and does then: a test for each row of the table
//! in docs/how-it-works.md.

mod check;
mod documents;
mod stopping;
mod storage;
mod waiting;
