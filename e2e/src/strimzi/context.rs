//! What all players share.

use std::path::PathBuf;

use super::kubernetes::Kubernetes;
use super::options::StrimziOptions;
use super::resource::Key;
use super::watches::Resources;
use crate::stack::Software;

/// The cluster, what runs beside it, and how.
pub(super) struct Context {
    pub(super) kubernetes: Kubernetes,
    pub(super) resources: Resources,
    pub(super) options: StrimziOptions,
    pub(super) software: Software,
    /// The folder of the plugin that reads Secrets.
    pub(super) secrets_plugin: PathBuf,
    /// The names of the cluster's Services.
    pub(super) hosts: PathBuf,
}

impl Context {
    /// The folder of one cluster. A namespace has no dot in its name.
    pub(super) fn folder(&self, group: &str, key: &Key) -> PathBuf {
        folder(&self.options.directory, group, key)
    }
}

/// The folders of the Kafkas.
pub(super) const KAFKA: &str = "kafka";
/// The folders of the Connects.
pub(super) const CONNECT: &str = "connect";

pub(super) fn folder(directory: &std::path::Path, group: &str, (namespace, name): &Key) -> PathBuf {
    directory.join(group).join(format!("{namespace}.{name}"))
}
