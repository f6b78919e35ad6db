//! Why Kafka did not do what was asked of it.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// Why Kafka did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The options do not make a client, such as a certificate that is none.
    #[error("the settings of the connection to Kafka at {bootstrap_servers} cannot be used")]
    Settings {
        /// The addresses.
        bootstrap_servers: String,
        /// What librdkafka said.
        #[source]
        source: Box<KafkaError>,
    },
    /// The brokers did not answer, or not with what was asked for.
    #[error("Kafka at {bootstrap_servers} does not answer: {said}")]
    Unreachable {
        /// The addresses.
        bootstrap_servers: String,
        /// Why connections failed, if librdkafka knows.
        said: String,
        /// What librdkafka said.
        #[source]
        source: Box<KafkaError>,
    },
    /// A broker refused something.
    #[error("Kafka refuses to {doing}: {code}")]
    Refused {
        /// What was being done.
        doing: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
}

impl SignalError {
    /// A word in `PascalCase` for a condition's reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "KafkaSettingsInvalid",
            Self::Unreachable { .. } => "KafkaUnreachable",
            Self::Refused { .. } => "KafkaRefused",
        }
    }

    /// What to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Settings { .. } => {
                "Check the Secrets that spec.kafka.external refers to: certificates and keys are PEM, the key not encrypted."
            }
            Self::Unreachable { .. } => {
                "Check spec.kafka.external, the Secrets it refers to, that the brokers run, and that no network policy keeps \
                 the operator from them."
            }
            Self::Refused { .. } => {
                "Give the Kafka user CREATE, DESCRIBE, WRITE and DELETE on the topics whose names begin with the namespace \
                 and the name of the resource."
            }
        }
    }
}
