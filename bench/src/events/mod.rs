//! Recorded events of Debezium, written again with other keys and values: exactly the bytes that its converters write.

mod encoding;
mod recorded;
mod template;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use self::encoding::Encoding;
use self::recorded::{Field, RecordedEvent, recorded};
use self::template::{Template, Value};
use crate::workload::{Order, Workload};

/// When the snapshot was taken, microseconds since the epoch.
const SNAPSHOT_US: i64 = 1_795_000_000_000_000;
/// The position of the snapshot in the source's log.
const SNAPSHOT_LSN: i64 = 45_920_080;
/// What an update adds to the source's log.
const LSN_STEP: i64 = 264;

/// The format of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// JSON with schemas.
    Json,
    /// Avro in the Confluent wire format.
    Avro,
}

impl Format {
    /// The format's name as written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Avro => "avro",
        }
    }
}

/// The schemas that Avro messages refer to, as text.
pub(crate) struct AvroSchemas {
    /// Of keys.
    pub(crate) key: String,
    /// Of values.
    pub(crate) value: String,
}

impl AvroSchemas {
    /// Those of the recorded events.
    pub(crate) fn recorded() -> anyhow::Result<Self> {
        let avro = recorded()?.avro;
        Ok(Self { key: avro.key_schema, value: avro.value_schema })
    }
}

/// Writes the messages of a [`Workload`].
pub(crate) struct Messages {
    workload: Workload,
    snapshot: Pair,
    update: Pair,
}

/// Templates of the key and the value of one message.
struct Pair {
    key: Template,
    value: Template,
}

impl Messages {
    /// JSON with schemas, about 3.6 kB a value.
    pub(crate) fn json(workload: Workload) -> anyhow::Result<Self> {
        let events = recorded()?.json;
        let pair = |event: RecordedEvent| {
            let (key, value) = (event.key.as_bytes(), event.value.as_bytes());
            Pair::new(Encoding::Json, key, value, &event)
        };
        Ok(Self { workload, snapshot: pair(events.snapshot)?, update: pair(events.update)? })
    }

    /// Avro, about 240 bytes a value; the schemas are known to the registry by these ids.
    pub(crate) fn avro(workload: Workload, key_id: u32, value_id: u32) -> anyhow::Result<Self> {
        let events = recorded()?.avro;
        let pair = |event: RecordedEvent| {
            let framed = |text: &str, id: u32| -> anyhow::Result<Vec<u8>> {
                let mut bytes = STANDARD.decode(text)?;
                bytes[1..5].copy_from_slice(&id.to_be_bytes());
                Ok(bytes)
            };
            Pair::new(Encoding::Avro, &framed(&event.key, key_id)?, &framed(&event.value, value_id)?, &event)
        };
        Ok(Self { workload, snapshot: pair(events.snapshot)?, update: pair(events.update)? })
    }

    /// Messages of the snapshot and the updates together.
    pub(crate) fn len(&self) -> u64 {
        self.workload.rows + self.workload.updates
    }

    /// Writes key and value of the message at `offset` of the topic: first the snapshot, then the updates.
    pub(crate) fn write(&self, offset: u64, key: &mut Vec<u8>, value: &mut Vec<u8>) {
        let (pair, order) = match offset.checked_sub(self.workload.rows) {
            None => (&self.snapshot, Order::snapshot(offset)),
            Some(number) => (&self.update, self.workload.update(number)),
        };
        let source = Source::of(offset, self.workload);
        pair.key.write(key, |_| Value::Text(order.id_text()));
        pair.value.write(value, |field| source.value(field, &order));
    }
}

impl Pair {
    fn new(encoding: Encoding, key: &[u8], value: &[u8], event: &RecordedEvent) -> anyhow::Result<Self> {
        let key_marks = event.marks.get(..1).unwrap_or_default();
        Ok(Self { key: Template::new(encoding, key, key_marks)?, value: Template::new(encoding, value, &event.marks)? })
    }
}

/// What an event says of its origin.
struct Source {
    us: i64,
    lsn: i64,
    transaction: i64,
    snapshot: &'static str,
}

impl Source {
    fn of(offset: u64, workload: Workload) -> Self {
        let snapshot = match offset {
            last if last + 1 == workload.rows => "last",
            0 => "first_in_data_collection",
            row if row < workload.rows => "true",
            _ => "false",
        };
        let number = (offset + 1).saturating_sub(workload.rows) as i64;
        Self {
            us: SNAPSHOT_US + number * 37,
            lsn: SNAPSHOT_LSN + number * LSN_STEP,
            transaction: 825 + number,
            snapshot,
        }
    }

    fn sequence(&self) -> String {
        let lsn = self.lsn;
        if self.snapshot == "false" { format!(r#"["{lsn}","{lsn}"]"#) } else { format!(r#"[null,"{lsn}"]"#) }
    }

    fn value(&self, field: Field, order: &Order) -> Value {
        match field {
            Field::Id => Value::Text(order.id_text()),
            Field::UserId => Value::Long(order.user_id),
            Field::Total => Value::Decimal(order.total),
            Field::Status => Value::Text(order.status.to_owned()),
            Field::PlacedAt => Value::Text(iso(order.placed_at_us)),
            Field::Note => Value::Text(order.note().unwrap_or_default()),
            Field::SourceMs => Value::Long(self.us / 1000),
            Field::SourceUs => Value::Long(self.us),
            Field::SourceNs => Value::Long(self.us * 1000),
            Field::Snapshot => Value::Text(self.snapshot.to_owned()),
            Field::Sequence => Value::Text(self.sequence()),
            Field::TransactionNumber => Value::Long(self.transaction),
            Field::Lsn => Value::Long(self.lsn),
            Field::TransactionId => Value::Text(format!("{}:{}", self.transaction, self.lsn)),
            // Debezium handles the event a quarter of a second later.
            Field::Ms => Value::Long(self.us / 1000 + 250),
            Field::Us => Value::Long(self.us + 250_000),
            Field::Ns => Value::Long((self.us + 250_000) * 1000),
        }
    }
}

/// As Debezium writes a `timestamptz`.
fn iso(us: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(us).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_messages_have_the_shape_of_the_recorded_ones() {
        let messages = Messages::json(Workload { rows: 2, updates: 1 }).unwrap();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        messages.write(2, &mut key, &mut value);
        let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
        let order = messages.workload.update(0);
        let after = &value["payload"]["after"];
        assert_eq!(after["id"], order.id_text());
        assert_eq!(after["note"], "update 0");
        assert_eq!(after["total"], "AQ==");
        assert_eq!(value["payload"]["source"]["lsn"], SNAPSHOT_LSN + LSN_STEP);
        assert_eq!(value["payload"]["op"], "u");
        let key: serde_json::Value = serde_json::from_slice(&key).unwrap();
        assert_eq!(key["payload"]["id"], order.id_text());
    }

    #[test]
    fn the_last_row_of_the_snapshot_says_so() {
        let messages = Messages::json(Workload { rows: 2, updates: 1 }).unwrap();
        let snapshot = |offset| {
            let mut value = Vec::new();
            messages.write(offset, &mut Vec::new(), &mut value);
            serde_json::from_slice::<serde_json::Value>(&value).unwrap()["payload"]["source"]["snapshot"].clone()
        };
        assert_eq!([snapshot(0), snapshot(1), snapshot(2)], ["first_in_data_collection", "last", "false"]);
    }

    #[test]
    fn avro_messages_carry_the_ids_of_the_registry() {
        let messages = Messages::avro(Workload { rows: 1, updates: 1 }, 7, 8).unwrap();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        messages.write(1, &mut key, &mut value);
        assert_eq!((&key[..5], &value[..5]), (&[0, 0, 0, 0, 7][..], &[0, 0, 0, 0, 8][..]));
    }
}
