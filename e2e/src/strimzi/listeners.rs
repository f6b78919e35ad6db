//! The listeners of a Kafka resource, and what each of them makes of the broker's settings.

use std::net::SocketAddr;

use serde_json::Value;

use super::configuration::Settings;

/// How clients of a listener say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    None,
    ScramSha512,
    Tls,
}

/// One entry of `spec.kafka.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) name: String,
    /// The port that clients use; the one that the broker listens on is another.
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) authentication: Authentication,
}

impl Listener {
    /// As the API server has let it through: name, port and the kind of authentication are of the schema.
    pub(super) fn all(kafka_spec: &Value) -> Vec<Self> {
        kafka_spec["listeners"].as_array().into_iter().flatten().filter_map(Self::of).collect()
    }

    fn of(entry: &Value) -> Option<Self> {
        let authentication = match entry["authentication"]["type"].as_str() {
            Some("scram-sha-512") => Authentication::ScramSha512,
            Some("tls") => Authentication::Tls,
            _ => Authentication::None,
        };
        Some(Self {
            name: entry["name"].as_str()?.to_owned(),
            port: entry["port"].as_u64()?.try_into().ok()?,
            tls: entry["tls"].as_bool().unwrap_or(false),
            authentication,
        })
    }

    /// The name that the broker knows it by.
    pub(super) fn broker_name(&self) -> String {
        format!("{}-{}", self.name.to_uppercase(), self.port)
    }

    /// The port's name in the bootstrap Service.
    pub(super) fn port_name(&self) -> String {
        match (self.name.as_str(), self.port) {
            ("plain", 9092) => "tcp-clients".to_owned(),
            ("tls", 9093) => "tcp-clientstls".to_owned(),
            (name, _) => format!("tcp-{name}"),
        }
    }

    fn protocol(&self) -> &'static str {
        match (self.tls, self.authentication) {
            (true, Authentication::ScramSha512) => "SASL_SSL",
            (false, Authentication::ScramSha512) => "SASL_PLAINTEXT",
            (true, _) => "SSL",
            (false, _) => "PLAINTEXT",
        }
    }

    fn security(&self, files: &TlsPaths) -> Settings {
        let prefix = format!("listener.name.{}", self.broker_name().to_lowercase());
        let mut settings = Settings::new();
        let mut set = |name: &str, value: &str| settings.insert(format!("{prefix}.{name}"), value.to_owned());
        if self.tls {
            set("ssl.keystore.type", "PEM");
            set("ssl.keystore.location", &files.broker);
        }
        match self.authentication {
            Authentication::None => {}
            Authentication::ScramSha512 => {
                set("sasl.enabled.mechanisms", "SCRAM-SHA-512");
                let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
                set("scram-sha-512.sasl.jaas.config", module);
            }
            Authentication::Tls => {
                set("ssl.client.auth", "required");
                set("ssl.truststore.type", "PEM");
                set("ssl.truststore.location", &files.clients_authority);
            }
        }
        settings
    }
}

/// PEM files that a broker's TLS listeners need.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsPaths {
    /// The broker's key, followed by its certificate.
    pub(super) broker: String,
    /// The certificate of the authority that signs the clients'.
    pub(super) clients_authority: String,
}

/// The listener that brokers, and this program, use among themselves.
pub(super) const REPLICATION: &str = "REPLICATION-9091";
/// The listener of the controllers.
pub(super) const CONTROL_PLANE: &str = "CONTROLPLANE-9090";

/// Where one node listens.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// For the controllers, if the node is one.
    pub(super) control_plane: Option<SocketAddr>,
    /// If the node is a broker: for the brokers, and for clients in the order of the listeners.
    pub(super) broker: Option<(SocketAddr, Vec<SocketAddr>)>,
}

/// The settings that say where a node listens, and how clients of each listener are treated.
pub(super) fn settings(listeners: &[Listener], addresses: &Addresses, files: &TlsPaths) -> Settings {
    let mut settings = Settings::new();
    let mut doors = Vec::new();
    if let Some((replication, clients)) = &addresses.broker {
        doors.push(format!("{REPLICATION}://{replication}"));
        doors.extend(listeners.iter().zip(clients).map(|(it, at)| format!("{}://{at}", it.broker_name())));
        settings.insert("advertised.listeners".into(), doors.join(","));
        settings.insert("inter.broker.listener.name".into(), REPLICATION.into());
        settings.extend(listeners.iter().flat_map(|listener| listener.security(files)));
    }
    doors.extend(addresses.control_plane.map(|at| format!("{CONTROL_PLANE}://{at}")));
    settings.insert("listeners".into(), doors.join(","));
    settings.insert("controller.listener.names".into(), CONTROL_PLANE.into());
    let mut protocols = vec![format!("{REPLICATION}:PLAINTEXT"), format!("{CONTROL_PLANE}:PLAINTEXT")];
    protocols.extend(listeners.iter().map(|it| format!("{}:{}", it.broker_name(), it.protocol())));
    settings.insert("listener.security.protocol.map".into(), protocols.join(","));
    settings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_listener_advertises_the_port_that_the_broker_listens_on() {
        let listeners = Listener::all(&json!({"listeners": [
            {"name": "plain", "port": 9092, "type": "internal", "tls": false},
            {"name": "tls", "port": 9093, "type": "internal", "tls": true, "authentication": {"type": "scram-sha-512"}},
        ]}));
        let at = |port| SocketAddr::from(([10, 89, 0, 1], port));
        let addresses = Addresses { control_plane: Some(at(1)), broker: Some((at(2), vec![at(3), at(4)])) };
        let files = TlsPaths { broker: "broker.pem".into(), clients_authority: "ca.pem".into() };
        let settings = settings(&listeners, &addresses, &files);
        let clients = "REPLICATION-9091://10.89.0.1:2,PLAIN-9092://10.89.0.1:3,TLS-9093://10.89.0.1:4";
        assert_eq!(settings["advertised.listeners"], clients);
        assert_eq!(settings["listeners"], format!("{clients},CONTROLPLANE-9090://10.89.0.1:1"));
        assert!(settings["listener.security.protocol.map"].ends_with("PLAIN-9092:PLAINTEXT,TLS-9093:SASL_SSL"));
        assert_eq!(settings["listener.name.tls-9093.sasl.enabled.mechanisms"], "SCRAM-SHA-512");
        let names: Vec<String> = listeners.iter().map(Listener::port_name).collect();
        assert_eq!(names, ["tcp-clients", "tcp-clientstls"]);
    }
}
