//! Why a transcript is refused.

use crate::keys::KeyError;

/// What is wrong with one contribution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("is malformed: {0}")]
    Malformed(String),
    #[error("does not follow what stands before it, or was changed after it was made")]
    NotChained,
    #[error("leaves delta as it was")]
    Unchanged,
    #[error("does not prove that its author knew the factor")]
    NoProof,
    #[error("changes delta in G1 by another factor than the proven one")]
    OtherDeltaG1,
    #[error("changes delta in G2 by another factor than in G1")]
    OtherDeltaG2,
    #[error("does not divide the L query by its factor")]
    LNotRescaled,
    #[error("does not divide the H query by its factor")]
    HNotRescaled,
}

impl Fault {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "CONTRIBUTION_MALFORMED",
            Self::NotChained => "CONTRIBUTION_NOT_CHAINED",
            Self::Unchanged => "CONTRIBUTION_UNCHANGED",
            Self::NoProof => "CONTRIBUTION_NO_PROOF",
            Self::OtherDeltaG1 => "CONTRIBUTION_DELTA_G1",
            Self::OtherDeltaG2 => "CONTRIBUTION_DELTA_G2",
            Self::LNotRescaled => "CONTRIBUTION_L_QUERY",
            Self::HNotRescaled => "CONTRIBUTION_H_QUERY",
        }
    }
}

/// Why a transcript cannot be read, verified or added to.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("not a ceremony transcript: {0}")]
    Header(&'static str),
    #[error("the initial key is refused: {0}")]
    InitialKey(KeyError),
    #[error("the initial key is refused: {0}")]
    Initial(&'static str),
    /// Numbered from 1. The name is what its author wrote, empty if it cannot be read.
    #[error("contribution {number} ({name:?}) {fault}")]
    Contribution {
        number: usize,
        name: String,
        fault: Fault,
    },
    #[error("a contributor's name has 1 to 64 bytes of letters, digits, spaces and punctuation")]
    Name,
    #[error("there is no contribution yet")]
    Empty,
    #[error("there are as many contributions as a transcript can hold")]
    Full,
}

impl CeremonyError {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Key(error) => error.reason(),
            Self::Header(_) => "TRANSCRIPT_HEADER",
            Self::InitialKey(_) | Self::Initial(_) => "TRANSCRIPT_INITIAL_KEY",
            Self::Contribution { fault, .. } => fault.reason(),
            Self::Name => "CONTRIBUTOR_NAME",
            Self::Empty => "CEREMONY_EMPTY",
            Self::Full => "CEREMONY_FULL",
        }
    }
}
