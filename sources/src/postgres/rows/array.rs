//! Arrays in their binary form.

use bytes::Buf;

use super::ValueError;
use super::frame::values;

/// The elements of an array of at most one dimension; `None` is NULL.
pub(super) fn elements(
    mut bytes: &[u8],
) -> Result<impl Iterator<Item = Result<Option<&[u8]>, ValueError>>, ValueError> {
    if bytes.len() < 12 {
        return Err(ValueError::Malformed);
    }
    // Whether there are NULLs, and the type.
    let dimensions = bytes.get_i32();
    bytes.advance(8);
    match dimensions {
        0 => Ok(values(&[])),
        // How many, and the number of the first.
        1 if bytes.len() >= 8 => Ok(values(&bytes[8..])),
        _ => Err(ValueError::OutOfRange),
    }
}
