//! The control plane: one resource in, the objects that serve it out.

pub mod build;
