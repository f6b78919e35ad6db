//! Desired objects, one file per kind. Everything here is pure: the same resource, the same bytes.

pub mod connector;
