//! The one document of Tributary: the `CdcReplication` resource, its rules, and the names that follow from it.
//!
//! The operator and the replicator share this crate, so that a file on a laptop and an object in a cluster mean the same.

// `KubeSchema` repeats each struct, with its `pub`, inside a function.
#![allow(unreachable_pub)]

#[cfg(test)]
mod cel;
pub mod check;
pub mod document;
pub mod librdkafka;
pub mod reference;
pub mod topic;
pub mod unavailable;

mod connect;
mod destination;
mod duration;
mod format;
mod kafka;
mod maintenance;
mod quantity;
mod replicator;
mod resource;
mod secret;
mod source;
mod status;
mod table;
mod time_of_day;

pub use connect::{Connect, ConnectBuild};
pub use destination::{Destination, S3, Scheme};
pub use duration::{Duration, DurationError};
pub use format::{AvroConverter, AvroFormat, Format, JsonFormat, RegistryTls};
pub use kafka::{
    ClientCertificate, ExternalKafka, Kafka, KafkaTls, Sasl, SaslMechanism, StrimziAuthentication, StrimziKafka,
};
pub use maintenance::{Maintenance, Window};
pub use quantity::{Quantity, QuantityError};
pub use replicator::{CopySettings, Index, Replicator, Resources};
pub use resource::{CdcReplication, CdcReplicationSpec, DeletionPolicy, OnSourceChange};
pub use secret::{CaSecret, SecretRef};
pub use source::{Postgres, PublicationSettings, Source, SslMode};
pub use status::{CdcReplicationStatus, TablePhase, TableStatus};
pub use table::{Shape, TableSpec, Writes};
pub use time_of_day::{TimeOfDay, TimeOfDayError};
