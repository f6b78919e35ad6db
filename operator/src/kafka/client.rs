//! How the operator reaches Kafka.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError as ClientError;

use super::KafkaError;

/// For one request, from the connection to the answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A Kafka cluster and how to get in.
#[derive(Clone)]
pub struct Kafka {
    bootstrap_servers: String,
    options: Vec<(String, String)>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Kafka").field("bootstrap_servers", &self.bootstrap_servers).field("options", &options).finish()
    }
}

impl Kafka {
    /// The cluster at these addresses, with the options of [`tributary_crds::librdkafka::options`].
    pub fn new(bootstrap_servers: impl Into<String>, options: Vec<(String, String)>) -> Self {
        Self { bootstrap_servers: bootstrap_servers.into(), options }
    }

    /// A client, and what it says about connections that fail.
    pub(super) fn admin(&self) -> Result<(AdminClient<Complaints>, Complaints), KafkaError> {
        let mut config = ClientConfig::new();
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", "tributary-operator")
            .set("socket.timeout.ms", PATIENCE.as_millis().to_string())
            .set_log_level(RDKafkaLogLevel::Warning);
        let complaints = Complaints::default();
        let client = config
            .create_with_context(complaints.clone())
            .map_err(Box::new)
            .map_err(|source| KafkaError::Settings { bootstrap_servers: self.bootstrap_servers.clone(), source })?;
        Ok((client, complaints))
    }

    /// A failed request: what the broker refused, or why there is none.
    pub(super) fn failed(&self, doing: &str, source: ClientError, complaints: &Complaints) -> KafkaError {
        use rdkafka::types::RDKafkaErrorCode as Code;
        let code = source.rdkafka_error_code();
        let refused = matches!(
            code,
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed | Code::PolicyViolation)
        );
        match code {
            Some(code) if refused => KafkaError::Refused { doing: doing.to_owned(), code },
            _ => KafkaError::Unreachable {
                bootstrap_servers: self.bootstrap_servers.clone(),
                said: complaints.last().unwrap_or_else(|| "no connection failed, so it may only be slow".to_owned()),
                source: Box::new(source),
            },
        }
    }
}

pub(super) fn patience() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// The last thing that librdkafka said about a connection: requests only time out.
#[derive(Clone, Default)]
pub(super) struct Complaints(Arc<Mutex<Option<String>>>);

impl Complaints {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Complaints {
    fn error(&self, _: ClientError, reason: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }
}
