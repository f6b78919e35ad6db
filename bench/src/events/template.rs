//! A recorded message with gaps.

use anyhow::Context;

use super::encoding::Encoding;
use super::recorded::{Field, Mark};

/// What goes into a gap.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Long(i64),
    /// Unscaled.
    Decimal(i64),
}

/// A message in pieces: before each gap the bytes that never change.
pub(super) struct Template {
    encoding: Encoding,
    gaps: Vec<(Vec<u8>, Field)>,
    rest: Vec<u8>,
}

impl Template {
    /// Finds the marked fields of `message`, one after the other, by what was recorded in them.
    pub(super) fn new(encoding: Encoding, message: &[u8], marks: &[Mark]) -> anyhow::Result<Self> {
        let mut gaps = Vec::new();
        let mut rest = message;
        for Mark { field, recorded } in marks {
            let mut sought = Vec::new();
            if matches!(encoding, Encoding::Json) {
                sought.extend_from_slice(format!("\"{}\":", field.name()).as_bytes());
            }
            let name = sought.len();
            encoding.write(&mut sought, &value(*field, recorded)?);
            let found = rest.windows(sought.len()).position(|window| window == sought);
            let at = found.with_context(|| format!("the recorded event has no {field:?}"))?;
            gaps.push((rest[..at + name].to_vec(), *field));
            rest = &rest[at + sought.len()..];
        }
        Ok(Self { encoding, gaps, rest: rest.to_vec() })
    }

    /// Writes the message into `out`, which is emptied first.
    pub(super) fn write(&self, out: &mut Vec<u8>, value: impl Fn(Field) -> Value) {
        out.clear();
        for (before, field) in &self.gaps {
            out.extend_from_slice(before);
            self.encoding.write(out, &value(*field));
        }
        out.extend_from_slice(&self.rest);
    }
}

fn value(field: Field, recorded: &serde_json::Value) -> anyhow::Result<Value> {
    match (field, recorded.as_i64(), recorded.as_str()) {
        (Field::Total, Some(cents), _) => Ok(Value::Decimal(cents)),
        (_, Some(number), _) => Ok(Value::Long(number)),
        (_, _, Some(text)) => Ok(Value::Text(text.to_owned())),
        _ => anyhow::bail!("{field:?} is recorded as neither text nor number"),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::events::recorded::{RecordedEvent, recorded};

    /// Fills the gaps with what was recorded.
    fn again(encoding: Encoding, message: &[u8], event: &RecordedEvent) -> Vec<u8> {
        let template = Template::new(encoding, message, &event.marks).unwrap();
        let mut out = Vec::new();
        template.write(&mut out, |field| {
            let mark = event.marks.iter().find(|mark| mark.field == field).unwrap();
            value(field, &mark.recorded).unwrap()
        });
        out
    }

    #[test]
    fn the_recorded_values_give_the_recorded_bytes() {
        let recorded = recorded().unwrap();
        for event in [recorded.json.snapshot, recorded.json.update] {
            assert_eq!(again(Encoding::Json, event.value.as_bytes(), &event), event.value.as_bytes());
        }
        for event in [recorded.avro.snapshot, recorded.avro.update] {
            let message = STANDARD.decode(&event.value).unwrap();
            assert_eq!(again(Encoding::Avro, &message, &event), message);
        }
    }
}
