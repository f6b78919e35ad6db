//! How to reach Kafka, and the settings of the two librdkafka clients of this process: one reads, one asks.

use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// What was not committed is not there.
const ISOLATION: &str = "read_committed";

/// How to reach a Kafka cluster.
#[derive(Clone)]
pub struct KafkaClient {
    /// `host:port`, comma-separated.
    pub bootstrap_servers: String,
    /// librdkafka's names and values for TLS and SASL. The values may be secrets.
    pub options: Vec<(String, String)>,
    /// Group under which offsets are committed, for lag tools only.
    pub group_id: String,
}

impl fmt::Debug for KafkaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("KafkaClient")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("options", &options)
            .field("group_id", &self.group_id)
            .finish()
    }
}

impl KafkaClient {
    /// What a client needs to connect: addresses, TLS and SASL. For checks; the consumer adds its own settings.
    pub fn connection(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", "tributary")
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.max.ms", "5000")
            .set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// The settings of the client that only asks: questions on the consumer's connections would wait behind its fetches, each for as
    /// long as a broker may keep one that finds nothing.
    pub(super) fn lookups(&self) -> ClientConfig {
        let mut config = self.connection();
        config.set("isolation.level", ISOLATION);
        config
    }

    /// The consumer's settings.
    pub(super) fn consumer(&self, sizes: &Sizes) -> ClientConfig {
        let mut config = self.connection();
        config
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", ISOLATION)
            .set("check.crcs", "true")
            .set("statistics.interval.ms", "1000")
            .set("queued.max.messages.kbytes", (sizes.queue / 1000).max(1).to_string())
            .set("fetch.message.max.bytes", sizes.fetch.to_string())
            // Has to be at least librdkafka's message.max.bytes.
            .set("fetch.max.bytes", sizes.fetch.max(1_000_000).to_string())
            // The default of a second would leave the consumer idle after every burst that fills its queue.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "500")
            // What it says of topics tells us of those that were created again, see `RecreatedTopics`.
            .set("debug", "topic")
            .set_log_level(RDKafkaLogLevel::Debug);
        config
    }
}

/// How the bytes of one budget are spread over the places where messages wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// What librdkafka may fetch ahead, decompressed.
    pub(super) queue: usize,
    /// Bytes of one partition in one fetch, as stored by the broker: compressed, and JSON may be 20 times larger.
    pub(super) fetch: usize,
    /// Keys and values of one batch.
    pub(super) batch: usize,
    /// What is left for all tables: batches, Arrow columns, rows being committed.
    pub(super) tables: usize,
}

impl Sizes {
    /// Divides a budget of `limit` bytes.
    pub(super) fn of(limit: usize) -> Self {
        const KIB: usize = 1024;
        let queue = (limit / 16).clamp(64 * KIB, 16 * KIB * KIB);
        Self {
            queue,
            fetch: (limit / 1024).clamp(16 * KIB, 256 * KIB),
            batch: (limit / 128).clamp(16 * KIB, 2 * KIB * KIB),
            // Twice the queue: librdkafka looks at its size before a fetch, not after.
            tables: limit.saturating_sub(2 * queue).max(limit / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_budget_leaves_most_of_it_to_the_tables() {
        let sizes = Sizes::of(256 << 20);
        assert_eq!((sizes.queue >> 20, sizes.fetch >> 10, sizes.batch >> 20, sizes.tables >> 20), (16, 256, 2, 224));
    }

    #[test]
    fn no_budget_is_too_small_to_read_at_all() {
        let sizes = Sizes::of(1);
        assert!(sizes.queue > 0 && sizes.fetch > 0 && sizes.batch > 0);
    }

    #[test]
    fn debug_output_names_options_without_their_values() {
        let client = KafkaClient {
            bootstrap_servers: "kafka:9092".into(),
            options: vec![("sasl.password".into(), "hunter2".into())],
            group_id: "tributary".into(),
        };
        let text = format!("{client:?}");
        assert!(text.contains("sasl.password") && !text.contains("hunter2"), "{text}");
    }
}
