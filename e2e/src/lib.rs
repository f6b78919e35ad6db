//! The end-to-end tests and what they stand on: the real services on one machine, the shop, an independent reader.

pub mod cluster;
pub mod compare;
pub mod demo;
pub mod node;
pub mod oracle;
pub mod pipeline;
pub mod shop;
pub mod stack;
pub mod strimzi;
pub mod types_table;
