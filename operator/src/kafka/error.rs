//! Why Kafka did not do what was asked of it.

use rdkafka::types::RDKafkaErrorCode;

/// Why Kafka did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The options do not make a client, such as a certificate that is none.
    #[error(
        "the settings of the connection to Kafka at {bootstrap_servers} cannot be used: check the Secrets that \
         spec.kafka.external refers to, whose certificates and keys are PEM, the key not encrypted"
    )]
    Settings {
        /// The addresses.
        bootstrap_servers: String,
        /// What librdkafka said.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// The brokers did not answer, or not with what was asked for.
    #[error(
        "Kafka at {bootstrap_servers} does not answer ({said}): check spec.kafka.external, the Secrets it refers to, that the \
         brokers run, and that no network policy keeps the operator from them"
    )]
    Unreachable {
        /// The addresses.
        bootstrap_servers: String,
        /// Why connections failed, if librdkafka knows.
        said: String,
        /// What librdkafka said.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// A broker refused something.
    #[error("Kafka refuses to {doing} ({code}): give its user DESCRIBE and DELETE on the topics of the resource")]
    Refused {
        /// What was being done.
        doing: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
}
