//! Who may go on reading when memory is short. Pure: told what everybody holds, it says what to do.

use std::time::{Duration, Instant};

/// How long nothing is read at the limit before the partitions are paused: pausing throws away what librdkafka has
/// fetched ahead, which is a waste if a commit is about to make room.
const PATIENCE: Duration = Duration::from_secs(1);

/// One table in the eyes of the [`Gate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Bytes the table holds.
    pub(super) held: usize,
    /// The part of them that a commit gives back; raw messages are only decoded, which needs no commit.
    pub(super) decoded: usize,
    /// The table holds more than its part while memory is short. Kept between steps.
    pub(super) over: bool,
    /// Its partitions must be paused. Kept between steps.
    pub(super) paused: bool,
    /// It must commit early.
    pub(super) pressed: bool,
}

/// Decides, step by step, which tables are read.
#[derive(Debug)]
pub(super) struct Gate {
    limit: usize,
    resting_since: Option<Instant>,
}

impl Gate {
    /// `limit`: bytes that all tables may hold together.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, resting_since: None }
    }

    /// Updates `over`, `paused` and `pressed` of every table; true when messages may be polled at all.
    ///
    /// With n tables, a table is over its part when it holds more than limit/2n while all hold limit/2 together. It is
    /// asked to commit at half of both, so that reading and committing overlap. Whoever is over has raw messages to
    /// decode or has been asked, and tables that are not over cannot fill the other half: so a table that is stuck
    /// never stops its neighbours.
    pub(super) fn step(&mut self, now: Instant, used: usize, tables: &mut [Load]) -> bool {
        let part = self.limit / (2 * tables.len().max(1));
        for table in &mut *tables {
            let (all, own) = if table.over { (self.limit * 3 / 8, part / 2) } else { (self.limit / 2, part) };
            table.over = used >= all && table.held > own;
            table.pressed = used >= self.limit / 4 && table.decoded > part / 2;
        }
        let rest = used >= self.limit || (!tables.is_empty() && tables.iter().all(|table| table.over));
        if !rest {
            self.resting_since = None;
            for table in tables {
                table.paused = table.over;
            }
            return true;
        }
        let since = *self.resting_since.get_or_insert(now);
        if now.duration_since(since) < PATIENCE {
            return false;
        }
        for table in tables {
            table.paused = true;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(held: &[usize]) -> Vec<Load> {
        held.iter().map(|&held| Load { held, decoded: held, ..Load::default() }).collect()
    }

    fn step(gate: &mut Gate, now: Instant, tables: &mut [Load]) -> bool {
        let used = tables.iter().map(|table| table.held).sum();
        gate.step(now, used, tables)
    }

    #[test]
    fn with_room_everybody_reads() {
        let mut tables = loads(&[49, 0]);
        assert!(step(&mut Gate::new(200), Instant::now(), &mut tables));
        assert!(tables.iter().all(|table| !table.paused && !table.pressed));
    }

    #[test]
    fn a_table_is_asked_to_commit_before_it_is_paused() {
        let mut tables = loads(&[60, 0]);
        step(&mut Gate::new(200), Instant::now(), &mut tables);
        assert!(tables[0].pressed && !tables[0].paused);
        assert!(!tables[1].pressed);
    }

    #[test]
    fn raw_messages_are_no_reason_to_commit() {
        let mut tables = loads(&[95, 10]);
        tables[0].decoded = 20;
        step(&mut Gate::new(200), Instant::now(), &mut tables);
        assert!(tables[0].paused && !tables[0].pressed);
    }

    #[test]
    fn the_table_that_holds_most_is_paused_and_its_neighbour_goes_on() {
        let mut tables = loads(&[95, 10]);
        assert!(step(&mut Gate::new(200), Instant::now(), &mut tables));
        assert!(tables[0].paused && tables[0].pressed);
        assert!(!tables[1].paused && !tables[1].pressed);
    }

    #[test]
    fn a_paused_table_resumes_when_it_has_committed_and_not_before() {
        let (mut gate, now) = (Gate::new(200), Instant::now());
        let mut tables = loads(&[95, 10]);
        step(&mut gate, now, &mut tables);
        (tables[0].held, tables[0].decoded) = (80, 80);
        step(&mut gate, now, &mut tables);
        assert!(tables[0].paused, "a little less is not enough, or it would flap");
        (tables[0].held, tables[0].decoded) = (0, 0);
        step(&mut gate, now, &mut tables);
        assert!(!tables[0].paused);
    }

    #[test]
    fn a_single_table_rests_first_and_is_paused_only_when_nothing_moves() {
        let (mut gate, now) = (Gate::new(200), Instant::now());
        let mut tables = loads(&[101]);
        assert!(!step(&mut gate, now, &mut tables));
        assert!(!tables[0].paused);
        assert!(step(&mut gate, now + PATIENCE, &mut tables));
        assert!(tables[0].paused);
        (tables[0].held, tables[0].decoded) = (0, 0);
        assert!(step(&mut gate, now + PATIENCE, &mut tables));
        assert!(!tables[0].paused);
    }

    #[test]
    fn whoever_is_paused_with_nothing_left_to_decode_has_been_asked_to_commit() {
        for first in 0..=220 {
            for second in 0..=220 {
                let mut tables = loads(&[first, second, 3]);
                tables[0].over = first % 2 == 0;
                step(&mut Gate::new(200), Instant::now(), &mut tables);
                assert!(tables.iter().all(|table| !table.over || table.pressed), "{tables:?}");
            }
        }
    }

    #[test]
    fn a_stuck_table_never_stops_its_neighbours() {
        // The stuck table fills first; the others then read in units of 5 and commit whenever they are asked to.
        let (mut gate, now) = (Gate::new(200), Instant::now());
        let mut tables = loads(&[0, 0, 0]);
        while !tables[0].over {
            tables[0].held += 5;
            tables[0].decoded += 5;
            step(&mut gate, now, &mut tables);
        }
        let mut read = [0; 3];
        for _ in 0..1000 {
            assert!(step(&mut gate, now, &mut tables), "everybody rests: {tables:?}");
            for index in [1, 2] {
                if tables[index].pressed {
                    (tables[index].held, tables[index].decoded) = (0, 0);
                } else if !tables[index].over {
                    tables[index].held += 5;
                    tables[index].decoded += 5;
                    read[index] += 5;
                }
            }
        }
        assert!(read[1] > 3000 && read[2] > 3000, "{read:?}");
    }

    #[test]
    fn without_tables_there_is_nothing_to_rest_for() {
        assert!(Gate::new(200).step(Instant::now(), 0, &mut []));
    }
}
