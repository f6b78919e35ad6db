//! The control plane: one resource in, the objects that serve it out.

pub mod apply;
pub mod backoff;
pub mod build;
pub mod controller;
pub mod error;
pub mod finalizer;
pub mod http;
pub mod kafka;
pub mod lease;
pub mod log;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod report;
pub mod run;
pub mod scope;
pub mod settings;
pub mod stream;
pub mod strimzi;
pub mod watch;
