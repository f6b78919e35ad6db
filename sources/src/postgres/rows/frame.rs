//! The binary form of COPY: a header, rows of values with their lengths, a trailer.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS>

use bytes::{Buf, Bytes, BytesMut};

use super::ValueError;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Bytes that came, and which of them are rows.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Bytes,
    /// Those before are done with.
    next: usize,
    has_header: bool,
    is_complete: bool,
}

/// One row.
pub(super) struct Frame<'a> {
    values: &'a [u8],
}

impl Frames {
    pub(super) fn push(&mut self, more: Bytes) {
        self.bytes.advance(std::mem::take(&mut self.next));
        // Postgres sends whole rows, so nothing is left of those before.
        if self.bytes.is_empty() {
            self.bytes = more;
            return;
        }
        let rest = std::mem::take(&mut self.bytes).try_into_mut();
        let mut joined = rest.unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
        joined.extend_from_slice(&more);
        self.bytes = joined.freeze();
    }

    /// The trailer was there.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The next row if all of it is there; it must have this many `values`.
    pub(super) fn row(&mut self, values: usize) -> Option<Result<Frame<'_>, ValueError>> {
        if !self.has_header {
            match self.header()? {
                Ok(()) => self.has_header = true,
                Err(error) => return Some(Err(error)),
            }
        }
        let rest = self.bytes.get(self.next..)?;
        let count = rest.get(..2).map(|mut count| count.get_i16())?;
        if count == -1 {
            self.next += 2;
            self.is_complete = true;
            return None;
        }
        if usize::try_from(count) != Ok(values) || self.is_complete {
            return Some(Err(ValueError::Malformed));
        }
        let mut end = 2;
        for _ in 0..values {
            let length = rest.get(end..end + 4).map(|mut length| length.get_i32())?;
            end += 4 + usize::try_from(length).unwrap_or(0);
        }
        let values = rest.get(2..end)?;
        self.next += end;
        Some(Ok(Frame { values }))
    }

    fn header(&mut self) -> Option<Result<(), ValueError>> {
        let fixed = SIGNATURE.len() + 8;
        let mut rest = self.bytes.get(SIGNATURE.len()..fixed)?;
        if !self.bytes.starts_with(SIGNATURE) || rest.get_u32() != 0 {
            return Some(Err(ValueError::Malformed));
        }
        let length = fixed + rest.get_u32() as usize;
        (self.bytes.len() >= length).then(|| {
            self.next = length;
            Ok(())
        })
    }
}

impl<'a> Frame<'a> {
    /// The bytes that it took.
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Its values; `None` is NULL.
    pub(super) fn values(&self) -> impl Iterator<Item = Result<Option<&'a [u8]>, ValueError>> + use<'a> {
        values(self.values)
    }
}

/// Values with their lengths before them, one after the other.
pub(super) fn values(mut bytes: &[u8]) -> impl Iterator<Item = Result<Option<&[u8]>, ValueError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        Some(match bytes.split_at_checked(4).map(|(mut length, rest)| (length.get_i32(), rest)) {
            Some((-1, rest)) => {
                bytes = rest;
                Ok(None)
            }
            Some((length, rest)) => match usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
            {
                Some((value, rest)) => {
                    bytes = rest;
                    Ok(Some(value))
                }
                None => Err(ValueError::Malformed),
            },
            None => Err(ValueError::Malformed),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of two values, one of them NULL.
    fn stream() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 8]);
        bytes.extend([0, 2, 0, 0, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff]);
        bytes.extend([0, 2, 0, 0, 0, 0, 0, 0, 0, 2, b'b', b'c']);
        bytes.extend([0xff, 0xff]);
        bytes
    }

    fn rows(pieces: &[&[u8]]) -> (Vec<Vec<Option<Vec<u8>>>>, bool) {
        let (mut frames, mut rows) = (Frames::default(), Vec::new());
        for piece in pieces {
            frames.push(Bytes::copy_from_slice(piece));
            while let Some(row) = frames.row(2) {
                let row = row.unwrap();
                rows.push(row.values().map(|value| value.unwrap().map(<[u8]>::to_vec)).collect());
            }
        }
        (rows, frames.is_complete())
    }

    #[test]
    fn rows_are_found_wherever_the_stream_is_cut() {
        let stream = stream();
        let expected = vec![vec![Some(b"a".to_vec()), None], vec![Some(Vec::new()), Some(b"bc".to_vec())]];
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            assert_eq!(rows(&[first, second]), (expected.clone(), true), "cut at {cut}");
        }
        assert_eq!(rows(&[&stream[..stream.len() - 2]]), (expected, false), "without its end it is not complete");
    }

    #[test]
    fn what_is_no_copy_is_refused() {
        let mut frames = Frames::default();
        frames.push(Bytes::from_static(&[b'x'; 40]));
        assert!(frames.row(2).is_some_and(|row| row.is_err()));
        let mut frames = Frames::default();
        frames.push(stream().into());
        assert!(frames.row(3).is_some_and(|row| row.is_err()), "another number of columns");
    }
}
