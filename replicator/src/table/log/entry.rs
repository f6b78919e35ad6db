//! One version of the Delta log: what somebody's commit did, and who it was.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::super::create::COPY;
use super::action::{Action, Add, Metadata, Protocol, Remove, Txn};

/// Our name in `commitInfo.engineInfo`.
pub(in crate::table) const ENGINE: &str = concat!("tributary/", env!("CARGO_PKG_VERSION"));
/// The field of `commitInfo` that tells two commits apart; Spark writes one as well.
const ID: &str = "txnId";

/// A version of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::table) struct Entry {
    pub version: u64,
    pub info: Map<String, Value>,
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    pub txns: Vec<Txn>,
    pub removes: Vec<Remove>,
    pub adds: Vec<Add>,
}

impl Entry {
    /// Reads the lines of `<version>.json`. Actions that say nothing of rows, columns or progress are passed over.
    pub(super) fn parse(version: u64, bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut entry = Self { version, ..Self::default() };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let line: Map<String, Value> = serde_json::from_slice(line)?;
            for (name, value) in line {
                entry.take(&name, value)?;
            }
        }
        Ok(entry)
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), serde_json::Error> {
        match name {
            "commitInfo" => self.info = serde_json::from_value(value)?,
            "protocol" => self.protocol = Some(serde_json::from_value(value)?),
            "metaData" => self.metadata = Some(serde_json::from_value(value)?),
            "txn" => self.txns.push(serde_json::from_value(value)?),
            "remove" => self.removes.push(serde_json::from_value(value)?),
            "add" => self.adds.push(serde_json::from_value(value)?),
            _ => {}
        }
        Ok(())
    }

    /// The same as lines of JSON: readers want `commitInfo` first.
    pub(in crate::table) fn to_json(&self) -> Result<Bytes, serde_json::Error> {
        let info = std::iter::once(Action::CommitInfo(self.info.clone()));
        let actions = info
            .chain(self.protocol.clone().map(Action::Protocol))
            .chain(self.metadata.clone().map(Action::Metadata))
            .chain(self.txns.iter().cloned().map(Action::Txn))
            .chain(self.removes.iter().cloned().map(Action::Remove))
            .chain(self.adds.iter().cloned().map(Action::Add));
        let mut bytes = Vec::new();
        for action in actions {
            serde_json::to_writer(&mut bytes, &action)?;
            bytes.push(b'\n');
        }
        Ok(bytes.into())
    }

    /// What tells this commit from all others, if its writer gave it an identity.
    pub(in crate::table) fn id(&self) -> Option<&str> {
        self.info.get(ID).and_then(Value::as_str)
    }

    /// Gives the commit its identity.
    pub(in crate::table) fn identify(&mut self, id: &str) {
        self.info.insert(ID.to_owned(), id.into());
    }

    /// Rows came, went or changed, rather than moved from file to file.
    pub(in crate::table) fn changes_data(&self) -> bool {
        self.adds.iter().any(|add| add.data_change) || self.removes.iter().any(|remove| remove.data_change)
    }

    /// It removes or adds this file.
    pub(in crate::table) fn touches(&self, path: &str) -> bool {
        self.removes.iter().any(|remove| remove.path == path) || self.adds.iter().any(|add| add.path == path)
    }

    /// What it says of the copy.
    pub(in crate::table) fn copy(&self) -> Option<&str> {
        self.metadata.as_ref()?.configuration.get(COPY).map(String::as_str)
    }

    /// A replicator made it.
    pub(in crate::table) fn is_ours(&self) -> bool {
        self.info.get("engineInfo").and_then(Value::as_str) == Some(ENGINE)
    }

    /// The version whose rows a RESTORE brought back.
    pub(in crate::table) fn restored_version(&self) -> Option<u64> {
        let is_restore = self.info.get("operation").and_then(Value::as_str) == Some("RESTORE");
        let version = self.info.get("operationParameters").filter(|_| is_restore)?.get("version")?;
        version.as_u64().or_else(|| version.as_str()?.parse().ok())
    }

    /// Operation and engine (and user, where it says so) of the commit, for people: `DELETE by Apache-Spark/4.1`.
    pub(in crate::table) fn who(&self) -> String {
        let text = |name: &str| self.info.get(name).and_then(Value::as_str);
        let operation = text("operation").unwrap_or("an unnamed operation");
        let engine = text("engineInfo").or_else(|| text("clientVersion")).unwrap_or("an unnamed engine");
        let user = text("userName").map(|user| format!(" (user {user})")).unwrap_or_default();
        format!("{operation} by {engine}{user}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_unknown_actions_are_passed_over() {
        let mut entry = Entry { version: 7, ..Entry::default() };
        entry.info.insert("operation".to_owned(), json!("MERGE"));
        entry.identify("abc");
        entry.txns.push(Txn { app_id: "a".to_owned(), version: 3 });
        entry.adds.push(Add { path: "f.parquet".to_owned(), data_change: true, ..Add::default() });
        let mut bytes = entry.to_json().unwrap().to_vec();
        bytes.extend(b"{\"domainMetadata\":{\"domain\":\"x\"}}\n\n");
        let read = Entry::parse(7, &bytes).unwrap();
        assert_eq!(read, entry);
        assert_eq!(read.id(), Some("abc"));
        assert!(read.changes_data());
    }

    #[test]
    fn a_foreign_commit_is_named_by_operation_and_engine() {
        let bytes = br#"{"commitInfo":{"operation":"DELETE","engineInfo":"Apache-Spark/4.1","userName":"eva"}}"#;
        assert_eq!(Entry::parse(1, bytes).unwrap().who(), "DELETE by Apache-Spark/4.1 (user eva)");
        assert_eq!(Entry::default().who(), "an unnamed operation by an unnamed engine");
    }
}
