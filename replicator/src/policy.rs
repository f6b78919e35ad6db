//! What becomes of a table after an error: the one place that decides, for the pipeline, the metrics and the status.

use tributary_sources::postgres::SourceError;

use crate::consume::ConsumeError;
use crate::copy::CopyError;
use crate::decode::{DecodeError, DecodeErrorKind, RegistryError};
use crate::pipeline::PipelineError;
use crate::table::{ErrorKind, TableError};

/// What becomes of a table after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The same again after a pause that grows from 200 ms to 10 s: what passes by itself.
    TryAgain,
    /// The table stops and says what to do, and is opened again every five minutes: what somebody can cure elsewhere.
    TryLater,
    /// The table stops and says what to do, until it is restarted: what only changes when somebody changes it.
    Stop,
}

impl Policy {
    /// The policy for an error of a table's task.
    pub fn of(error: &PipelineError) -> Self {
        match error {
            PipelineError::Consume(error) => Self::of_topic(error),
            PipelineError::Decode(error) => Self::of_message(error),
            PipelineError::Registry(error) => Self::of_registry(error),
            PipelineError::Table(error) => Self::of_table(error),
            PipelineError::Copy(error) => Self::of_copy(error),
            PipelineError::CopyAnew(_) => Self::TryAgain,
            PipelineError::SourceChanged { .. } | PipelineError::NoSource { .. } | PipelineError::Internal(_) => {
                Self::Stop
            }
        }
    }

    /// Whether the table goes on by itself, with what it has in memory.
    pub fn is_transient(self) -> bool {
        self == Self::TryAgain
    }

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::TryAgain => "try-again",
            Self::TryLater => "try-later",
            Self::Stop => "stop",
        }
    }

    fn of_topic(error: &ConsumeError) -> Self {
        match error {
            ConsumeError::Settings(_) | ConsumeError::Thread(_) => Self::Stop,
            // Whoever restores the topic, corrects the address or removes the Delta table need not do more.
            ConsumeError::Assign { .. }
            | ConsumeError::Recreated { .. }
            | ConsumeError::Replaced { .. }
            | ConsumeError::Overtaken { .. }
            | ConsumeError::BeginningDeleted { .. }
            | ConsumeError::Partitions { .. }
            | ConsumeError::TopicDeleted { .. } => Self::TryLater,
        }
    }

    fn of_message(error: &DecodeError) -> Self {
        match error.kind {
            DecodeErrorKind::UnknownSchemaId { .. } => Self::TryLater,
            // The message stays what it is.
            _ => Self::Stop,
        }
    }

    fn of_registry(error: &RegistryError) -> Self {
        match error {
            RegistryError::Setup { .. } => Self::Stop,
            RegistryError::Unreachable { .. }
            | RegistryError::Unauthorized { .. }
            | RegistryError::Status { .. }
            | RegistryError::NotARegistry { .. } => Self::TryAgain,
        }
    }

    fn of_copy(error: &CopyError) -> Self {
        match error {
            CopyError::Source(SourceError::Value { .. }) | CopyError::Record(_) => Self::Stop,
            CopyError::Source(_) | CopyError::NoTable { .. } => Self::TryAgain,
            // Somebody changes the table at the source, and need not tell us.
            CopyError::Refused { .. } | CopyError::UnreadableColumns { .. } => Self::TryLater,
        }
    }

    fn of_table(error: &TableError) -> Self {
        match (error.kind(), error) {
            // Access is granted, or a token renewed, without anybody telling us.
            (ErrorKind::Unavailable | ErrorKind::Denied, _) => Self::TryAgain,
            // The delete that makes the value needless may come later than we waited.
            (ErrorKind::Foreign | ErrorKind::Damaged, _) | (_, TableError::UnknownValue { .. }) => Self::TryLater,
            (ErrorKind::Mismatch | ErrorKind::Internal, _) => Self::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(source: object_store::Error) -> PipelineError {
        let source = Box::new(source);
        PipelineError::Table(TableError::Storage { doing: "open", uri: "s3://lake/users".into(), source })
    }

    fn message(kind: DecodeErrorKind) -> PipelineError {
        PipelineError::Decode(DecodeError { topic: "t".into(), partition: 0, offset: 4, kind })
    }

    #[test]
    fn a_storage_that_does_not_answer_or_refuses_is_tried_again() {
        let source = || "no".into();
        let generic = object_store::Error::Generic { store: "S3", source: source() };
        assert_eq!(Policy::of(&storage(generic)), Policy::TryAgain);
        let denied = object_store::Error::PermissionDenied { path: "_delta_log".into(), source: source() };
        assert_eq!(Policy::of(&storage(denied)), Policy::TryAgain);
    }

    #[test]
    fn what_others_can_cure_is_tried_later_and_what_stays_as_it_is_stops() {
        assert_eq!(Policy::of(&message(DecodeErrorKind::UnknownSchemaId { part: "value", id: 7 })), Policy::TryLater);
        assert_eq!(Policy::of(&message(DecodeErrorKind::NotAnEnvelope)), Policy::Stop);
        let deleted = ConsumeError::TopicDeleted { topic: "t".into() };
        assert_eq!(Policy::of(&deleted.into()), Policy::TryLater);
        assert_eq!(Policy::of(&TableError::NoKey.into()), Policy::Stop);
        let lacking = TableError::UnknownValue { column: "text".into() };
        assert_eq!(Policy::of(&lacking.into()), Policy::TryLater);
        assert_eq!(Policy::of(&PipelineError::Internal("its task panicked".into())), Policy::Stop);
    }

    #[test]
    fn only_what_passes_by_itself_keeps_the_table_running() {
        let transient = [Policy::TryAgain, Policy::TryLater, Policy::Stop].map(Policy::is_transient);
        assert_eq!(transient, [true, false, false]);
    }
}
