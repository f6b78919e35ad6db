//! What happened: order, replay detection, folding many events of one key into one, TOAST placeholders.

mod batch;
mod position;

pub use batch::{ChangeBatch, Event, Op, RowSchema};
pub use position::Position;
