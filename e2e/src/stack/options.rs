//! What a stack is made of and where it runs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use super::Part;

/// How to bring a stack up. The default is a private, complete stack: all parts, on free ports of 127.0.0.1, in a
/// directory of its own that is removed with the stack.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The address that every part listens on and advertises: one that the clients can reach, so not 0.0.0.0.
    pub bind: IpAddr,
    /// The ports to listen on.
    pub ports: PortChoice,
    /// Where data, configuration and logs are kept: a new folder, or an earlier stack's, whose data is removed first.
    /// `None`: a temporary one that is removed with the stack. When run as root, the user `postgres` must be able to
    /// reach it.
    pub directory: Option<PathBuf>,
    /// The parts to start. Connect needs Kafka.
    pub parts: BTreeSet<Part>,
    /// Which `PostgreSQL` it has.
    pub postgres: PostgresRelease,
    /// Settings of `PostgreSQL` in place of the stack's own, as `name=value`.
    pub postgres_settings: Vec<String>,
    /// What happens to the processes when the program that started them ends.
    pub lifetime: Lifetime,
}

/// Which ports a stack listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// Free ones, claimed until the stack is dropped: stacks started side by side never get the same.
    Free,
    /// This one and those that follow it, one per address (see [`Addresses`](super::Addresses)).
    From(u16),
}

/// Which `PostgreSQL` a stack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresRelease {
    /// The machine's own, 14 or newer.
    Installed,
    /// The newest one, downloaded.
    Newest,
}

/// How long the processes of a stack live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the stack is dropped, and never longer than the program that started them, even when it is killed.
    WithParent,
    /// Until [`stop_detached`](super::stop_detached), once [`Stack::detach`](super::Stack::detach) was called.
    Detached,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: PortChoice::Free,
            directory: None,
            parts: Part::ALL.into(),
            postgres: PostgresRelease::Installed,
            postgres_settings: Vec::new(),
            lifetime: Lifetime::WithParent,
        }
    }
}

impl StackOptions {
    /// A private stack of these parts only.
    pub fn only(parts: impl IntoIterator<Item = Part>) -> Self {
        Self { parts: parts.into_iter().collect(), ..Self::default() }
    }

    /// The same stack without this part.
    #[must_use]
    pub fn without(mut self, part: Part) -> Self {
        self.parts.remove(&part);
        self
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.bind.is_unspecified(),
            "the stack cannot listen on {}: its parts tell clients to come back to the address they listen on; give the \
             address of one interface",
            self.bind
        );
        anyhow::ensure!(!self.parts.is_empty(), "the stack has no parts: name at least one");
        anyhow::ensure!(
            !self.parts.contains(&Part::Connect) || self.parts.contains(&Part::Kafka),
            "Kafka Connect keeps its state in Kafka: add the part `kafka`, or leave `connect` out"
        );
        Ok(())
    }
}
