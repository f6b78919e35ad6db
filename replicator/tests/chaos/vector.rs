//! Deletion vectors by the letter of the protocol.

use anyhow::{Context, Result, ensure};
use object_store::path::Path;
use roaring::RoaringTreemap;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::backing::Backing;

const MAGIC: u32 = 1_681_511_377;

/// The deleted rows that a `deletionVector` of the log names.
pub(crate) fn read(backing: &Backing, vector: &Json) -> Result<RoaringTreemap> {
    ensure!(vector["storageType"] == "u", "a deletion vector that is not in a file of the table: {vector}");
    let path = path(vector["pathOrInlineDv"].as_str().context("no path")?)?;
    let file = backing.read(&path).with_context(|| format!("the deletion vectors {path} are gone"))?;
    ensure!(file.first() == Some(&1), "{path} is of another version");
    let at = vector["offset"].as_u64().context("no offset")? as usize;
    let size = vector["sizeInBytes"].as_u64().context("no size")? as usize;
    let bytes = |from: usize, length: usize| file.get(from..from + length).context("a deletion vector is cut off");
    let number = |from| Ok::<_, anyhow::Error>(<[u8; 4]>::try_from(bytes(from, 4)?)?);
    ensure!(u32::from_be_bytes(number(at)?) as usize == size, "{path} says another size than the log");
    let data = bytes(at + 4, size)?;
    ensure!(u32::from_le_bytes(number(at + 4)?) == MAGIC, "{path} has another magic number");
    ensure!(u32::from_be_bytes(number(at + 4 + size)?) == crc32(data), "{path} has another checksum");
    let rows = RoaringTreemap::deserialize_from(&data[4..])?;
    ensure!(Some(rows.len()) == vector["cardinality"].as_u64(), "{path} has another cardinality than the log");
    Ok(rows)
}

/// An optional prefix, then a UUID in Z85.
fn path(text: &str) -> Result<Path> {
    let (prefix, id) = text.split_at(text.len().checked_sub(20).context("a path is too short")?);
    let id = Uuid::from_slice(&z85::decode(id).map_err(|error| anyhow::anyhow!("{error}"))?)?;
    Ok(Path::from(format!("{prefix}/deletion_vector_{id}.bin")))
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !data.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
