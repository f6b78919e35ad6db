//! The end-to-end tests and what they stand on.

pub mod compare;
pub mod oracle;
pub mod shop;
