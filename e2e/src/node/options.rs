//! Where a node runs and how long.

use std::path::PathBuf;

use crate::stack::Lifetime;

/// How to bring a node up. The default is a private node in a directory of its own that is removed with it.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Where data, configuration and logs are kept: a new folder, or an earlier node's, whose data is removed first. `None`:
    /// a temporary one that is removed with the node.
    pub directory: Option<PathBuf>,
    /// What happens to the node when the program that started it ends. One that goes on needs a chosen directory.
    pub lifetime: Lifetime,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { directory: None, lifetime: Lifetime::WithParent }
    }
}
