//! The free maps `config` of Kafka, `KafkaConnect` and `KafkaConnector`: values must be scalars, and keys that belong to
//! Strimzi are dropped without a word.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::Refusal;

/// Settings by name, as a properties file or Connect's REST API has them.
pub(super) type Settings = BTreeMap<String, String>;

/// Which keys of a `config` are Strimzi's own.
pub(super) struct Reserved {
    prefixes: &'static [&'static str],
    exceptions: &'static [&'static str],
}

/// Of `Kafka.spec.kafka.config`.
pub(super) const KAFKA: Reserved = Reserved {
    prefixes: &[
        "listeners",
        "advertised.",
        "broker.",
        "listener.",
        "host.name",
        "port",
        "inter.broker.listener.name",
        "sasl.",
        "ssl.",
        "security.",
        "password.",
        "log.dir",
        "zookeeper.",
        "authorizer.",
        "super.user",
        "node.id",
        "process.roles",
        "controller.",
        "metadata.log.dir",
        "prometheus.metrics.reporter.",
    ],
    exceptions: &[
        "sasl.server.max.receive.size",
        "ssl.cipher.suites",
        "ssl.protocol",
        "ssl.enabled.protocols",
        "ssl.secure.random.implementation",
        "controller.quorum.election.backoff.max.ms",
        "controller.quorum.election.timeout.ms",
        "controller.quorum.fetch.timeout.ms",
    ],
};

/// Of `KafkaConnect.spec.config`.
pub(super) const CONNECT: Reserved = Reserved {
    prefixes: &[
        "group.id",
        "config.storage.topic",
        "offset.storage.topic",
        "status.storage.topic",
        "ssl.",
        "sasl.",
        "security.",
        "listeners",
        "plugin.path",
        "rest.",
        "bootstrap.servers",
        "consumer.interceptor.classes",
        "producer.interceptor.classes",
        "prometheus.metrics.reporter.",
    ],
    exceptions: &[
        "ssl.endpoint.identification.algorithm",
        "ssl.cipher.suites",
        "ssl.protocol",
        "ssl.enabled.protocols",
    ],
};

/// Of `KafkaConnector.spec.config`.
pub(super) const CONNECTOR: Reserved =
    Reserved { prefixes: &["connector.class", "tasks.max", "connector.plugin.version"], exceptions: &[] };

/// Of `authentication.config` of type `custom`: here only these keys are the user's.
pub(super) const CUSTOM_LOGIN: Reserved = Reserved { prefixes: &["sasl.", "ssl.keystore."], exceptions: &[] };

impl Reserved {
    /// Every key is the user's.
    pub(super) const fn nothing() -> Self {
        Self { prefixes: &[], exceptions: &[] }
    }

    /// The settings that are left of a `config`; null is none.
    pub(super) fn settings(&self, config: &Value) -> Result<Settings, Refusal> {
        let Some(config) = config.as_object() else { return Ok(Settings::new()) };
        let mut settings = Settings::new();
        for (name, value) in config {
            let value = scalar(value)
                .map_err(|why| Refusal::new("InvalidConfigParameterException", format!("{name}: {why}")))?;
            if !self.holds(name) {
                settings.insert(name.clone(), value);
            }
        }
        Ok(settings)
    }

    /// The other way round: only the settings with these prefixes.
    pub(super) fn only(&self, config: &Value) -> Result<Settings, Refusal> {
        let mut settings = Self::nothing().settings(config)?;
        settings.retain(|name, _| self.holds(name));
        Ok(settings)
    }

    fn holds(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.prefixes.iter().any(|prefix| name.starts_with(prefix)) && !self.exceptions.contains(&name.as_str())
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    let class = match value {
        Value::String(text) => return Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => return Ok(value.to_string()),
        Value::Null => return Err("A null value is not allowed for this key".to_owned()),
        Value::Array(_) => "java.util.ArrayList",
        Value::Object(_) => "java.util.LinkedHashMap",
    };
    Err(format!("Unsupported type class {class} in configuration for this key"))
}

/// The text of a properties file.
pub(super) fn properties(settings: &Settings) -> String {
    let lines: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={}\n", escaped(value))).collect();
    lines.concat()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_become_text_and_strimzis_own_keys_are_dropped_without_a_word() {
        let config = json!({
            "group.id": "x", "sasl.mechanism": "PLAIN", "ssl.protocol": "TLSv1.3", "offset.flush.interval.ms": 1000,
            "config.providers": "secrets", "exactly.once.source.support": "enabled", "a": true,
        });
        let settings = CONNECT.settings(&config).unwrap();
        let names: Vec<&str> = settings.keys().map(String::as_str).collect();
        let kept = ["a", "config.providers", "exactly.once.source.support", "offset.flush.interval.ms", "ssl.protocol"];
        assert_eq!(names, kept);
        assert_eq!((settings["a"].as_str(), settings["offset.flush.interval.ms"].as_str()), ("true", "1000"));
    }

    #[test]
    fn a_list_a_map_and_a_null_are_refused_with_the_key() {
        let refused = |value: Value| CONNECTOR.settings(&json!({"table.include.list": value})).unwrap_err();
        assert_eq!(
            refused(json!(["public.a"])),
            Refusal::new(
                "InvalidConfigParameterException",
                "table.include.list: Unsupported type class java.util.ArrayList in configuration for this key"
            )
        );
        assert!(refused(json!({})).message.contains("LinkedHashMap"));
        assert!(refused(Value::Null).message.contains("null value"));
    }

    #[test]
    fn a_backslash_and_a_line_end_survive_a_properties_file() {
        let settings = Settings::from([("a".to_owned(), "x\\d\ny".to_owned())]);
        assert_eq!(properties(&settings), "a=x\\\\d\\ny\n");
    }
}
