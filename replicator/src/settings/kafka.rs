//! TLS and SASL in librdkafka's words, with the secrets from their files.

use tributary_crds::{ExternalKafka, librdkafka};

use super::{Secrets, SettingsError};

/// The options that make librdkafka connect as the resource says.
pub(super) fn options(kafka: &ExternalKafka, secrets: &Secrets) -> Result<Vec<(String, String)>, SettingsError> {
    librdkafka::options(kafka, |value| {
        let read = if value.pem { Secrets::pem } else { Secrets::value };
        read(secrets, value.field, value.secret, value.key)
    })
}
