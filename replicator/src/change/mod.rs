//! What happened: order, replay detection, folding many events of one key into one, TOAST placeholders.

mod batch;
mod conform;
mod counts;
mod fold;
mod folded;
mod key;
mod position;
mod progress;

pub use batch::{ChangeBatch, Event, Op, RowSchema};
pub(crate) use conform::rows as rows_in_columns;
pub use counts::OpCounts;
pub use fold::Fold;
pub use folded::{Folded, StoredValue};
pub use key::{KeyEncoder, KeyHash, KeyMap};
pub use position::Position;
pub use progress::{PartitionProgress, Progress, SnapshotId, Verdict};
