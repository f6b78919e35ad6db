//! Why Kafka cannot be reached, in words.

use std::sync::{Mutex, PoisonError};

use rdkafka::error::RDKafkaErrorCode;

/// The last reason why no broker answers; empty while one does.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// How telling the reason is, and the reason.
    reason: Mutex<Option<(u8, String)>>,
}

impl Outage {
    /// Remembers an error of the client, if it says why no broker answers.
    pub(super) fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        let Some((rank, text)) = describe(code, reason) else { return };
        let mut known = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        // That all brokers are down follows every refused login and says less.
        if known.as_ref().is_none_or(|(known, _)| rank >= *known) {
            *known = Some((rank, text));
        }
    }

    /// A broker answers.
    pub(super) fn over(&self) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether the reason is one that trying again at once does not change: a refused login, a certificate.
    pub(super) fn is_final(&self) -> bool {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(rank, _)| *rank >= 3)
    }

    /// The reason, if one is known.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, text)| text.clone())
    }
}

/// What an error of the client means to an operator, and how telling it is.
fn describe(code: RDKafkaErrorCode, reason: &str) -> Option<(u8, String)> {
    use RDKafkaErrorCode as Code;
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            Some((3, format!("Kafka refused the login, check user, password and SASL mechanism: {reason}")))
        }
        Code::SSL => Some((3, format!("TLS with Kafka failed, check the CA and the client certificate: {reason}"))),
        Code::Resolve => Some((2, format!("the address of a Kafka broker cannot be resolved: {reason}"))),
        Code::BrokerTransportFailure => Some((2, format!("Kafka cannot be reached: {reason}"))),
        Code::AllBrokersDown => Some((1, "no Kafka broker can be reached".into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_said_as_such_even_when_all_brokers_are_down() {
        let outage = Outage::default();
        outage.note(RDKafkaErrorCode::Authentication, "kafka:9092: Invalid username or password");
        outage.note(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        let reason = outage.reason().unwrap();
        assert!(reason.starts_with("Kafka refused the login") && reason.contains("kafka:9092"), "{reason}");
        outage.over();
        assert_eq!(outage.reason(), None);
    }

    #[test]
    fn errors_that_say_nothing_about_the_connection_are_not_remembered() {
        let outage = Outage::default();
        outage.note(RDKafkaErrorCode::GroupAuthorizationFailed, "no");
        assert_eq!(outage.reason(), None);
    }
}
