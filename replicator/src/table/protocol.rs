//! What the protocol of a table asks of its writers, and whether we can give it.

use super::log::{Metadata, Protocol};
use super::{TableError, Writes};

/// From this writer version on, features are named one by one.
const NAMED_FEATURES: i32 = 7;

/// Features that ask nothing of our commits, whether or not they are in use.
const HARMLESS: [&str; 6] = [
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "domainMetadata",
    "checkpointProtection",
];

/// Whether a table uses a feature.
type IsUsed = fn(&Metadata) -> bool;

/// Features that ask nothing as long as the table does not use them, and what shows that it does.
const UNUSED: [(&str, IsUsed); 6] = [
    ("appendOnly", |table| is_set(table, "delta.appendOnly", "true")),
    ("invariants", |table| table.schema_string.contains("delta.invariants")),
    ("checkConstraints", |table| table.configuration.keys().any(|key| key.starts_with("delta.constraints."))),
    ("changeDataFeed", |table| is_set(table, "delta.enableChangeDataFeed", "true")),
    ("generatedColumns", |table| table.schema_string.contains("delta.generationExpression")),
    ("columnMapping", |table| table.configuration.get("delta.columnMapping.mode").is_some_and(|mode| mode != "none")),
];

fn is_set(table: &Metadata, property: &str, value: &str) -> bool {
    table.configuration.get(property).is_some_and(|found| found.eq_ignore_ascii_case(value))
}

/// Refuses a table that asks of its writers what we cannot give, by the name of the feature.
pub(super) fn check(protocol: &Protocol, metadata: &Metadata, uri: &str) -> Result<(), TableError> {
    let used = UNUSED.iter().filter(|(_, is_used)| is_used(metadata)).map(|(name, _)| *name);
    let named = protocol.writer_features.iter().chain(&protocol.reader_features).flatten().map(String::as_str);
    let unknown = named.filter(|name| !HARMLESS.contains(name) && !UNUSED.iter().any(|(unused, _)| unused == name));
    let future = (protocol.min_writer_version > NAMED_FEATURES)
        .then(|| format!("writer version {}", protocol.min_writer_version));
    match used.chain(unknown).map(str::to_owned).chain(future).next() {
        Some(feature) => Err(TableError::Unsupported { uri: uri.to_owned(), feature }),
        None => Ok(()),
    }
}

/// The protocol of a new table that uses just these features.
pub(super) fn new(writes: Writes, has_timestamp_ntz: bool) -> Protocol {
    let plain = Protocol { min_reader_version: 1, min_writer_version: 2, ..Protocol::default() };
    with(&plain, features(writes, has_timestamp_ntz)).unwrap_or(plain)
}

/// The features that rows written this way need.
pub(super) fn features(writes: Writes, has_timestamp_ntz: bool) -> impl Iterator<Item = &'static str> {
    let vectors = (writes == Writes::DeletionVectors).then_some("deletionVectors");
    vectors.into_iter().chain(has_timestamp_ntz.then_some("timestampNtz"))
}

/// `protocol` with `features` beside those it has; `None` when it has them all.
pub(super) fn with(protocol: &Protocol, features: impl Iterator<Item = &'static str>) -> Option<Protocol> {
    let mut wider = named(protocol);
    let (mut reader, mut writer) =
        (wider.reader_features.take().unwrap_or_default(), wider.writer_features.take().unwrap_or_default());
    let before = (reader.len(), writer.len());
    for feature in features {
        for list in [&mut reader, &mut writer] {
            if !list.iter().any(|known| known == feature) {
                list.push(feature.to_owned());
            }
        }
    }
    if (reader.len(), writer.len()) == before {
        return None;
    }
    wider.min_reader_version = 3;
    (wider.reader_features, wider.writer_features) = (Some(reader), Some(writer));
    Some(wider)
}

/// The same protocol with its features by name. What the older versions brought with them stays.
fn named(protocol: &Protocol) -> Protocol {
    if protocol.min_writer_version >= NAMED_FEATURES {
        return protocol.clone();
    }
    let by_version =
        [(2, "appendOnly"), (2, "invariants"), (3, "checkConstraints"), (4, "changeDataFeed"), (4, "generatedColumns")];
    let brought = by_version.iter().filter(|(version, name)| {
        // A new table never had a reason for invariants, and some writers refuse them.
        *version <= protocol.min_writer_version && !(protocol.min_writer_version == 2 && *name == "invariants")
    });
    Protocol {
        min_writer_version: NAMED_FEATURES,
        writer_features: Some(brought.map(|(_, name)| (*name).to_owned()).collect()),
        ..protocol.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(properties: &[(&str, &str)]) -> Metadata {
        let configuration = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Metadata { configuration, ..Metadata::default() }
    }

    fn refused(protocol: &Protocol, metadata: &Metadata) -> Option<String> {
        match check(protocol, metadata, "file:///t") {
            Err(TableError::Unsupported { feature, .. }) => Some(feature),
            _ => None,
        }
    }

    #[test]
    fn a_feature_that_we_cannot_write_is_refused_by_its_name() {
        let ours = new(Writes::DeletionVectors, true);
        assert_eq!(refused(&ours, &metadata(&[])), None);
        let with = |name: &str| {
            let mut features = ours.writer_features.clone().unwrap();
            features.push(name.to_owned());
            Protocol { writer_features: Some(features), ..ours.clone() }
        };
        assert_eq!(refused(&with("rowTracking"), &metadata(&[])).as_deref(), Some("rowTracking"));
        assert_eq!(refused(&with("columnMapping"), &metadata(&[])), None, "not in use");
        let mapped = metadata(&[("delta.columnMapping.mode", "name")]);
        assert_eq!(refused(&with("columnMapping"), &mapped).as_deref(), Some("columnMapping"));
        assert_eq!(refused(&ours, &metadata(&[("delta.appendOnly", "true")])).as_deref(), Some("appendOnly"));
    }

    #[test]
    fn a_new_table_has_just_the_features_that_it_uses() {
        let plain = new(Writes::CopyOnWrite, false);
        assert_eq!((plain.min_reader_version, plain.min_writer_version), (1, 2));
        assert_eq!(plain.reader_features, None);
        let vectors = new(Writes::DeletionVectors, false);
        assert_eq!(vectors.reader_features.unwrap(), ["deletionVectors"]);
        assert_eq!(vectors.writer_features.unwrap(), ["appendOnly", "deletionVectors"]);
    }

    #[test]
    fn features_of_others_stay_when_ours_are_added() {
        let theirs = Protocol {
            min_reader_version: 3,
            min_writer_version: 7,
            reader_features: Some(vec!["v2Checkpoint".to_owned()]),
            writer_features: Some(vec!["v2Checkpoint".to_owned()]),
        };
        let wider = with(&theirs, ["timestampNtz"].into_iter()).unwrap();
        assert_eq!(wider.writer_features.as_deref().unwrap(), ["v2Checkpoint", "timestampNtz"]);
        assert_eq!(with(&wider, ["timestampNtz"].into_iter()), None);
    }
}
