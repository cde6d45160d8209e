//! One error per rule of the trees.

use crate::field::FieldError;

/// Why a tree refused something. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("zero stands for an empty leaf and cannot be a leaf")]
    EmptyLeaf,
    #[error("the leaf is in the tree already, or twice in what was given")]
    DuplicateLeaf,
    #[error("the leaf is not in the tree")]
    UnknownLeaf,
    #[error("the tree holds at most {0} leaves")]
    Full(u64),
    #[error("index {index} is not below {capacity}")]
    IndexOutOfRange { index: u64, capacity: u64 },
    #[error("index {0} was given twice")]
    RepeatedIndex(u64),
    #[error("there is no leaf at index {0}")]
    EmptySlot(u64),
    #[error("a path has {expected} nodes, this has {given}")]
    PathLength { expected: usize, given: usize },
    #[error("a history keeps 1 to {max} roots, not {0}", max = super::MAX_HISTORY)]
    HistorySize(usize),
    #[error("snapshot version {0} is not known")]
    SnapshotVersion(u8),
    #[error("the snapshot is of another kind of tree or of another depth")]
    SnapshotKind,
    #[error("the snapshot is cut off")]
    SnapshotTruncated,
    #[error("bytes follow the snapshot")]
    SnapshotTrailing,
    #[error("the snapshot's leaves are not in ascending order of index")]
    SnapshotOrder,
    #[error("the snapshot's newest root is not the root of its leaves")]
    SnapshotRoot,
}

impl TreeError {
    /// The stable name of the broken rule. The text may change, this does not.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Field(FieldError::Length(_)) => "FIELD_LENGTH",
            Self::Field(FieldError::NotCanonical) => "FIELD_NOT_CANONICAL",
            Self::EmptyLeaf => "LEAF_EMPTY",
            Self::DuplicateLeaf => "LEAF_DUPLICATE",
            Self::UnknownLeaf => "LEAF_UNKNOWN",
            Self::Full(_) => "TREE_FULL",
            Self::IndexOutOfRange { .. } => "INDEX_OUT_OF_RANGE",
            Self::RepeatedIndex(_) => "INDEX_REPEATED",
            Self::EmptySlot(_) => "SLOT_EMPTY",
            Self::PathLength { .. } => "PATH_LENGTH",
            Self::HistorySize(_) => "HISTORY_SIZE",
            Self::SnapshotVersion(_) => "SNAPSHOT_VERSION",
            Self::SnapshotKind => "SNAPSHOT_KIND",
            Self::SnapshotTruncated => "SNAPSHOT_TRUNCATED",
            Self::SnapshotTrailing => "SNAPSHOT_TRAILING",
            Self::SnapshotOrder => "SNAPSHOT_ORDER",
            Self::SnapshotRoot => "SNAPSHOT_ROOT",
        }
    }
}
