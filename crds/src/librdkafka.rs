//! How a resource says to reach Kafka, in librdkafka's words: the same for the operator and the replicator.

use crate::{ExternalKafka, KafkaTls, Sasl};

/// A value of a Secret that a connection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretValue<'a> {
    /// The field that refers to the Secret, for errors.
    pub field: &'static str,
    /// Name of the Secret.
    pub secret: &'a str,
    /// Key in the Secret.
    pub key: &'a str,
    /// Whether the value must be in PEM form.
    pub pem: bool,
}

/// The options of TLS and SASL, without the addresses. `read` is asked for the Secrets' values; its errors are returned.
pub fn options<E>(
    kafka: &ExternalKafka,
    mut read: impl FnMut(SecretValue<'_>) -> Result<String, E>,
) -> Result<Vec<(String, String)>, E> {
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "PLAINTEXT",
        (Some(_), None) => "SSL",
        (None, Some(_)) => "SASL_PLAINTEXT",
        (Some(_), Some(_)) => "SASL_SSL",
    };
    let mut options = vec![("security.protocol", protocol.to_owned())];
    if let Some(tls) = &kafka.tls {
        encryption(tls, &mut read, &mut options)?;
    }
    if let Some(sasl) = &kafka.sasl {
        login(sasl, &mut read, &mut options)?;
    }
    Ok(options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn encryption<E>(
    tls: &KafkaTls,
    read: &mut impl FnMut(SecretValue<'_>) -> Result<String, E>,
    options: &mut Vec<(&'static str, String)>,
) -> Result<(), E> {
    if let Some(ca) = &tls.ca_secret {
        let field = "spec.kafka.external.tls.caSecret";
        let value = SecretValue { field, secret: &ca.secret_name, key: &ca.key, pem: true };
        options.push(("ssl.ca.pem", read(value)?));
    }
    if let Some(certificate) = &tls.client_certificate {
        let field = "spec.kafka.external.tls.clientCertificate";
        let value = |key| SecretValue { field, secret: &certificate.secret_name, key, pem: true };
        options.push(("ssl.certificate.pem", read(value("tls.crt"))?));
        options.push(("ssl.key.pem", read(value("tls.key"))?));
    }
    Ok(())
}

fn login<E>(
    sasl: &Sasl,
    read: &mut impl FnMut(SecretValue<'_>) -> Result<String, E>,
    options: &mut Vec<(&'static str, String)>,
) -> Result<(), E> {
    let field = "spec.kafka.external.sasl.credentials";
    let value = |key| SecretValue { field, secret: &sasl.credentials.secret_name, key, pem: false };
    options.push(("sasl.mechanism", sasl.mechanism.as_str().to_owned()));
    options.push(("sasl.username", read(value("username"))?));
    options.push(("sasl.password", read(value("password"))?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn kafka(text: &str) -> ExternalKafka {
        serde_saphyr::from_str(text).unwrap()
    }

    /// The options of a broker, with values that say where they come from.
    fn of(text: &str) -> Vec<(String, String)> {
        let read = |value: SecretValue<'_>| Ok::<_, Infallible>(format!("{}/{}", value.secret, value.key));
        options(&kafka(text), read).unwrap()
    }

    fn pairs(options: &[(String, String)]) -> Vec<(&str, &str)> {
        options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn without_tls_and_login_the_connection_is_plain() {
        assert_eq!(pairs(&of("bootstrapServers: kafka:9092")), [("security.protocol", "PLAINTEXT")]);
    }

    #[test]
    fn certificates_and_login_come_from_the_secrets() {
        let tls = "tls: {caSecret: {secretName: ca}, clientCertificate: {secretName: me}}";
        let text = format!("bootstrapServers: kafka:9092\n{tls}");
        let expected = [
            ("security.protocol", "SSL"),
            ("ssl.ca.pem", "ca/ca.crt"),
            ("ssl.certificate.pem", "me/tls.crt"),
            ("ssl.key.pem", "me/tls.key"),
        ];
        assert_eq!(pairs(&of(&text)), expected);
        let sasl = "tls: {}\nsasl: {mechanism: ScramSha512, credentials: {secretName: user}}";
        let expected = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "user/username"),
            ("sasl.password", "user/password"),
        ];
        assert_eq!(pairs(&of(&format!("bootstrapServers: kafka:9092\n{sasl}"))), expected);
    }

    #[test]
    fn a_value_that_is_missing_is_the_readers_error_with_the_field() {
        let text = "{bootstrapServers: 'kafka:9092', sasl: {mechanism: Plain, credentials: {secretName: user}}}";
        let missing = options(&kafka(text), |value| Err::<String, _>((value.field, value.key.to_owned())));
        assert_eq!(missing, Err(("spec.kafka.external.sasl.credentials", "username".to_owned())));
    }
}
