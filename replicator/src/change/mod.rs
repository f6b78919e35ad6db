//! What happened: order, replay detection, folding many events of one key into one, TOAST placeholders.

mod batch;
mod conform;
mod fold;
mod key;
mod position;
mod progress;

pub use batch::{ChangeBatch, Event, Op, RowSchema};
pub use fold::{Fold, Folded, OpCounts, StoredValue};
pub use key::{KeyEncoder, KeyHash, KeyMap};
pub use position::Position;
pub use progress::{PartitionProgress, Progress, SnapshotId, Verdict};
