//! A table's first copy, and one made anew: rows at known snapshots, read from the source beside the stream, and which events of
//! the stream they contain already.
//!
//! Barrier, chunks, follow: a chunk is a range of keys at a snapshot of its own, and one commit with both. Events are skipped
//! that the chunk of their key has seen, until the stream has passed all chunks.

mod allowance;
mod begin;
mod chunks;
mod error;
mod look_up;
mod pace;
mod plan;
mod record;
mod room;
mod source;
mod speed;
mod verdict;
mod watch;
mod work;

pub use allowance::Allowance;
pub use chunks::{Copying, ensure};
pub use error::CopyError;
pub use look_up::look_up;
pub use record::{Chunk, CopyRecord};
pub use source::{CopySource, Looks};
pub use verdict::{Contained, Verdicts};
pub use watch::{Found, compare, watch};
