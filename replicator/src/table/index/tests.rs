//! A key run against a hash map.

use std::collections::HashMap;

use proptest::prelude::*;

use super::IndexError;
use super::build::Builder;
use super::format::{self, Layout};
use super::run::KeyRun;
use super::sink::{Sink, Source};
use crate::change::KeyHash;

/// Spread like hashes, and known by their number.
fn key(number: u64) -> KeyHash {
    KeyHash::from_bits(u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

fn rows_of(run: &KeyRun, keys: &[u64]) -> HashMap<u64, Vec<u32>> {
    let mut hashes: Vec<(KeyHash, u32)> = keys.iter().map(|number| key(*number)).zip(0..).collect();
    hashes.sort_unstable();
    let mut rows: HashMap<u64, Vec<u32>> = HashMap::new();
    run.look_up(&hashes, |number, row| rows.entry(keys[number as usize]).or_default().push(row)).unwrap();
    rows
}

fn expected(stored: &[u64], wanted: &[u64]) -> HashMap<u64, Vec<u32>> {
    let mut all: HashMap<u64, Vec<u32>> = HashMap::new();
    for (number, row) in stored.iter().zip(0..) {
        all.entry(*number).or_default().push(row);
    }
    all.retain(|number, _| wanted.contains(number));
    all
}

proptest! {
    #[test]
    fn a_run_finds_what_a_hash_map_finds_in_memory_and_on_disk(
        stored in prop::collection::vec(0..5000_u64, 0..3000),
        mut wanted in prop::collection::vec(0..6000_u64, 0..300),
    ) {
        wanted.sort_unstable();
        wanted.dedup();
        let expected = expected(&stored, &wanted);
        let keys = || stored.iter().map(|number| key(*number)).zip(0..).collect();
        let memory = KeyRun::of_rows(keys(), Sink::Memory(Vec::new())).unwrap();
        prop_assert_eq!(rows_of(&memory, &wanted), expected.clone());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        KeyRun::of_rows(keys(), Sink::file(path.clone()).unwrap()).unwrap();
        let stored = KeyRun::load(Source::open(&path).unwrap()).unwrap().unwrap();
        prop_assert_eq!(rows_of(&stored, &wanted), expected);
    }
}

#[test]
fn a_run_of_several_segments_is_built_one_by_one_and_takes_sixteen_bytes_a_row_at_most() {
    let rows = 2_500_000;
    let layout = Layout::new(rows);
    assert_eq!(layout.segments(), 4);
    let mut builder = Builder::new(layout, Sink::Memory(Vec::new())).unwrap();
    for segment in 0..layout.segments() {
        let own = (0..rows).map(key).zip(0..).filter(|(hash, _)| layout.segment(*hash) == segment);
        builder.push(own.collect(), 1).unwrap();
    }
    let run = KeyRun::of_parts(layout, builder.finish().unwrap());
    let wanted: Vec<u64> = (0..rows + 1000).step_by(997).collect();
    let found = rows_of(&run, &wanted);
    assert_eq!(found.len(), wanted.iter().filter(|number| **number < rows).count());
    assert!(found.iter().all(|(number, rows)| rows == &[*number as u32]));
    assert!(run.stored_bytes() <= 16 * rows, "{} bytes a row", run.stored_bytes() as f64 / rows as f64);
}

#[test]
fn entries_that_are_not_what_was_written_are_refused_and_the_run_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let keys = || (0..1000).map(key).zip(0..).collect();
    KeyRun::of_rows(keys(), Sink::file(path.clone()).unwrap()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[format::HEAD + 500 * format::ENTRY] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let run = KeyRun::load(Source::open(&path).unwrap()).unwrap().unwrap();
    let mut wanted: Vec<(KeyHash, u32)> = (0..1000).map(key).zip(0..).collect();
    wanted.sort_unstable();
    let refused = run.look_up(&wanted, |_, _| ()).unwrap_err();
    assert!(matches!(refused, IndexError::Damaged { .. }), "{refused}");
    assert!(!path.exists());
}

#[test]
fn two_rows_with_one_hash_are_known() {
    let run = |numbers: &[u64]| {
        let keys = numbers.iter().map(|number| key(*number)).zip(0..).collect();
        KeyRun::of_rows(keys, Sink::Memory(Vec::new())).unwrap()
    };
    assert_eq!(run(&[5, 3, 8, 1]).tie(), None);
    assert_eq!(run(&[5, 3, 8, 1, 3]).tie(), Some((1, 4)));
}

#[test]
fn a_damaged_run_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    KeyRun::of_rows((0..1000).map(key).zip(0..).collect(), Sink::file(path.clone()).unwrap()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(KeyRun::load(Source::open(&path).unwrap()).unwrap().is_none());
}
