//! The parts of a stack and the order in which they start and stop.

use serde::{Deserialize, Serialize};

/// One service of the stack, each a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// `PostgreSQL` with logical decoding: the source.
    Postgres,
    /// Kafka, one node in `KRaft` mode, broker and controller in one.
    Kafka,
    /// Kafka Connect with Debezium's Postgres connector.
    Connect,
    /// The schema registry (Apicurio) with the Confluent API.
    Registry,
    /// S3 (`LocalStack`): the destination.
    S3,
}

impl Part {
    /// Every part, in the order in which they start.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Kafka, Self::Connect, Self::Registry, Self::S3];

    /// The part's name as written on the command line, in the state file and as name of its log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Connect => "connect",
            Self::Registry => "registry",
            Self::S3 => "s3",
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
