//! Why something of RLN is refused: one variant for every rule, and for each a stable reason.

use crate::field::FieldError;

/// A refusal. No variant carries a secret, nor a value derived from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RlnError {
    // Of what this node wants to prove.
    #[error("a message limit is 1 to 65535, this is {0}")]
    LimitOutOfRange(u32),
    #[error("a message id is below the limit of {limit}, this is {message_id}")]
    MessageIdOutOfRange { message_id: u32, limit: u16 },
    #[error("a message id is used twice in one multi proof")]
    MessageIdRepeated,
    #[error("a multi proof uses 1 to 4 message ids, this has {0}")]
    MessageIdCount(usize),
    #[error("a seed has at least 16 bytes, this has {0}")]
    SeedTooShort(usize),
    #[error("an identity secret is not zero")]
    SecretZero,
    #[error("an identity's commitment is not that of its secret")]
    CommitmentMismatch,
    #[error("a path has 20 levels, this has {0}")]
    PathLength(usize),
    #[error("a path's index is below 2^20, this is {0}")]
    PathIndexOutOfRange(u32),
    #[error("a path's selector is 0 or 1")]
    PathSelectorNotBoolean,
    #[error("the path does not lead from this member's leaf to the root")]
    PathNotToRoot,
    #[error("the prover failed")]
    ProverFailed,
    #[error("the preparation has served a message already")]
    PreparationSpent,

    // Of bytes.
    #[error("a field value has 32 bytes, this has {0}")]
    FieldLength(usize),
    #[error("a field value is below the field's modulus")]
    FieldNotCanonical,
    #[error("a proof has 128 bytes, this has {0}")]
    ProofLength(usize),
    #[error("a point's coordinate is not canonical")]
    PointNotCanonical,
    #[error("a point is at infinity")]
    PointAtInfinity,
    #[error("a point is not on its curve")]
    PointNotOnCurve,
    #[error("a point is not in its subgroup")]
    PointNotInSubgroup,
    #[error("the encoding has {expected} bytes, this has {actual}")]
    EncodingLength { expected: usize, actual: usize },
    #[error("the encoding's tag, field header or length prefix is another")]
    EncodingTag,
    #[error("a selector is 0 or 1")]
    SelectorNotBoolean,
    #[error("an epoch is a number of 64 bits in 32 bytes")]
    EpochNotNumber,
    #[error("an rln identifier has at most 32 bytes, this has {0}")]
    IdentifierLength(usize),

    // Of what a peer proves.
    #[error("no slot of a multi proof is used")]
    NoSlotUsed,
    #[error("an unused slot of a multi proof is not zero")]
    UnusedSlotNotZero,
    #[error("a nullifier stands twice in one multi proof")]
    NullifierRepeated,
    #[error("the proof's root is not in the window")]
    RootUnknown,
    #[error("the proof is for another epoch or application")]
    ExternalNullifierMismatch,
    #[error("the proof is for another signal")]
    SignalMismatch,
    #[error("the proof does not verify")]
    ProofInvalid,

    // Of two shares.
    #[error("the shares are of different external nullifiers")]
    SharesOfDifferentEpochs,
    #[error("the shares have different nullifiers")]
    SharesOfDifferentNullifiers,
    #[error("the shares have the same x: they are one message")]
    SharesOfOneMessage,
    #[error("the shares are not of one polynomial")]
    SharesInconsistent,
}

impl RlnError {
    /// The refusal as programs and metrics know it. Stable: add, never rename.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::LimitOutOfRange(_) => "LIMIT_OUT_OF_RANGE",
            Self::MessageIdOutOfRange { .. } => "MESSAGE_ID_OUT_OF_RANGE",
            Self::MessageIdRepeated => "MESSAGE_ID_REPEATED",
            Self::MessageIdCount(_) => "MESSAGE_ID_COUNT",
            Self::SeedTooShort(_) => "SEED_TOO_SHORT",
            Self::SecretZero => "SECRET_ZERO",
            Self::CommitmentMismatch => "COMMITMENT_MISMATCH",
            Self::PathLength(_) => "PATH_LENGTH",
            Self::PathIndexOutOfRange(_) => "PATH_INDEX_OUT_OF_RANGE",
            Self::PathSelectorNotBoolean => "PATH_SELECTOR_NOT_BOOLEAN",
            Self::PathNotToRoot => "PATH_NOT_TO_ROOT",
            Self::ProverFailed => "PROVER_FAILED",
            Self::PreparationSpent => "PREPARATION_SPENT",
            Self::FieldLength(_) => "FIELD_LENGTH",
            Self::FieldNotCanonical => "FIELD_NOT_CANONICAL",
            Self::ProofLength(_) => "PROOF_LENGTH",
            Self::PointNotCanonical => "POINT_NOT_CANONICAL",
            Self::PointAtInfinity => "POINT_AT_INFINITY",
            Self::PointNotOnCurve => "POINT_NOT_ON_CURVE",
            Self::PointNotInSubgroup => "POINT_NOT_IN_SUBGROUP",
            Self::EncodingLength { .. } => "ENCODING_LENGTH",
            Self::EncodingTag => "ENCODING_TAG",
            Self::SelectorNotBoolean => "SELECTOR_NOT_BOOLEAN",
            Self::EpochNotNumber => "EPOCH_NOT_NUMBER",
            Self::IdentifierLength(_) => "IDENTIFIER_LENGTH",
            Self::NoSlotUsed => "NO_SLOT_USED",
            Self::UnusedSlotNotZero => "UNUSED_SLOT_NOT_ZERO",
            Self::NullifierRepeated => "NULLIFIER_REPEATED",
            Self::RootUnknown => "ROOT_UNKNOWN",
            Self::ExternalNullifierMismatch => "EXTERNAL_NULLIFIER_MISMATCH",
            Self::SignalMismatch => "SIGNAL_MISMATCH",
            Self::ProofInvalid => "PROOF_INVALID",
            Self::SharesOfDifferentEpochs => "SHARES_OF_DIFFERENT_EPOCHS",
            Self::SharesOfDifferentNullifiers => "SHARES_OF_DIFFERENT_NULLIFIERS",
            Self::SharesOfOneMessage => "SHARES_OF_ONE_MESSAGE",
            Self::SharesInconsistent => "SHARES_INCONSISTENT",
        }
    }
}

impl From<FieldError> for RlnError {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::Length(length) => Self::FieldLength(length),
            FieldError::NotCanonical => Self::FieldNotCanonical,
        }
    }
}
