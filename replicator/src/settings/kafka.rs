//! TLS and SASL in librdkafka's words.

use tributary_crds::{ExternalKafka, KafkaTls, Sasl};

use super::{Secrets, SettingsError};

/// The options that make librdkafka connect as the resource says.
pub(super) fn options(kafka: &ExternalKafka, secrets: &Secrets) -> Result<Vec<(String, String)>, SettingsError> {
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "PLAINTEXT",
        (Some(_), None) => "SSL",
        (None, Some(_)) => "SASL_PLAINTEXT",
        (Some(_), Some(_)) => "SASL_SSL",
    };
    let mut options = vec![("security.protocol", protocol.to_owned())];
    if let Some(tls) = &kafka.tls {
        options.extend(encryption(tls, secrets)?);
    }
    if let Some(sasl) = &kafka.sasl {
        options.extend(login(sasl, secrets)?);
    }
    Ok(options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn encryption(tls: &KafkaTls, secrets: &Secrets) -> Result<Vec<(&'static str, String)>, SettingsError> {
    let mut options = Vec::new();
    if let Some(secret) = &tls.ca_secret {
        options.push(("ssl.ca.pem", secrets.ca("spec.kafka.external.tls.caSecret", secret)?));
    }
    if let Some(certificate) = &tls.client_certificate {
        let pem = |key| secrets.pem("spec.kafka.external.tls.clientCertificate", &certificate.secret_name, key);
        options.push(("ssl.certificate.pem", pem("tls.crt")?));
        options.push(("ssl.key.pem", pem("tls.key")?));
    }
    Ok(options)
}

fn login(sasl: &Sasl, secrets: &Secrets) -> Result<[(&'static str, String); 3], SettingsError> {
    let (username, password) = secrets.login("spec.kafka.external.sasl.credentials", &sasl.credentials)?;
    Ok([
        ("sasl.mechanism", sasl.mechanism.as_str().to_owned()),
        ("sasl.username", username),
        ("sasl.password", password),
    ])
}
