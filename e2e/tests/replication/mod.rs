//! The whole path: whatever happens to the replicator, its Delta tables equal the tables of the source.

mod added_table;
mod big_rows;
mod columns;
mod crashes;
mod equality;
mod failover;
mod freshness;
mod lag;
mod memory;
mod replay;
mod restored;
mod resync;
mod second_writer;
mod security;
mod shutdown;
mod twenty_tables;
mod unseen;
