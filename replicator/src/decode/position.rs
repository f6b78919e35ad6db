//! Reads `source.sequence`, on the hot path.

use crate::change::Position;

/// The position of an event: `sequence` is `["<last commit>","<lsn>"]` with either part possibly null, `lsn` is
/// `source.lsn`. `Ok(None)`: the event has neither. `Err`: the sequence is something else.
pub(super) fn position(sequence: Option<&str>, lsn: Option<i64>) -> Result<Option<Position>, ()> {
    let (commit_lsn, sequence_lsn) = match sequence {
        Some(sequence) => pair(sequence).ok_or(())?,
        None => (None, None),
    };
    let lsn = lsn.map(|lsn| lsn as u64).or(sequence_lsn);
    Ok(lsn.map(|lsn| Position { commit_lsn: commit_lsn.unwrap_or(0), lsn }))
}

fn pair(sequence: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (commit, lsn) = sequence.strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
    Some((number(commit.trim()).ok()?, number(lsn.trim()).ok()?))
}

/// `"123"` or `null`.
fn number(text: &str) -> Result<Option<u64>, ()> {
    if text == "null" {
        return Ok(None);
    }
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or(())?;
    digits.parse().map(Some).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_part_of_a_sequence_may_be_null() {
        let at = |commit_lsn, lsn| Ok(Some(Position { commit_lsn, lsn }));
        assert_eq!(position(Some(r#"["46012640","46012696"]"#), Some(46_012_696)), at(46_012_640, 46_012_696));
        assert_eq!(position(Some(r#"[null,"45920080"]"#), Some(45_920_080)), at(0, 45_920_080));
        assert_eq!(position(Some(r#"["46012640",null]"#), Some(7)), at(46_012_640, 7));
        assert_eq!(position(Some(r#"["46012640","46012696"]"#), None), at(46_012_640, 46_012_696));
        assert_eq!(position(Some("[null,null]"), None), Ok(None));
        assert_eq!(position(None, None), Ok(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for sequence in ["", "[]", "[1,2]", r#"["x","1"]"#, r#"["1"]"#, r#"["1","2","3"]"#] {
            assert_eq!(position(Some(sequence), Some(1)), Err(()), "{sequence}");
        }
    }
}
