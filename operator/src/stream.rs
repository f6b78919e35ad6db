//! The stream that a connector reads: which server's log it is a place in, and whether it can go on. The connector itself remembers
//! the former, as an annotation; what breaks a stream is [`broken`]'s to say.

mod renewal;

use serde_json::{Value, json};
use tributary_sources::postgres::{Break, Facts, Stream, broken};

use crate::apply::Live;
use crate::build::Object;
use crate::strimzi::verdict;

pub use renewal::Renewal;

/// Annotation of the connector: the stream that it reads, as [`Stream`] writes it. It comes when the slot is first seen, so that a
/// slot that is missing later is one that is gone.
const SOURCE: &str = "tributary.dev/source";
/// What Debezium 3.7 says when the slot begins behind its position (`offset.mismatch.strategy=trust_offset`).
const REFUSAL: &str = "no longer available on the server";

/// The connector among the objects of a resource.
pub fn connector(live: &[Live]) -> Option<&Live> {
    live.iter().find(|live| live.kind.kind == "KafkaConnector")
}

/// Whether the stream that the connector was reading is broken, by what was last found on the server.
pub fn break_of(connector: &Live, facts: &Facts) -> Option<Break> {
    let refused = verdict::traces(&connector.object).any(|trace| trace.contains(REFUSAL));
    broken(facts, stream_of(connector).as_ref(), refused)
}

fn stream_of(connector: &Live) -> Option<Stream> {
    source(&connector.object)?.parse().ok()
}

fn source(connector: &Value) -> Option<&str> {
    connector["metadata"]["annotations"][SOURCE].as_str()
}

/// Notes on the connector which stream it reads: the one that was last found. Of a server that cannot be asked, or on which that
/// stream cannot go on, the one that was noted before.
pub fn note(object: &mut Object, facts: Option<&Facts>, before: Option<&Live>) {
    let goes_on = |facts: &&Facts| before.is_none_or(|before| break_of(before, facts).is_none());
    let stream = match facts.filter(goes_on) {
        Some(facts) => Stream::of(facts),
        None => before.and_then(stream_of),
    };
    if let Some(stream) = stream {
        object.manifest["metadata"]["annotations"][SOURCE] = json!(stream.to_string());
    }
}
