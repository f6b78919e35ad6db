//! What the end-to-end tests and the demo are made of: the real services on one machine, and what is done with them.

pub mod stack;
