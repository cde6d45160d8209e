"""Errors of RLN. The reasons are those of `native/crates/zk/src/rln/error.rs`."""

from logos_base.errors import ErrorKind
from logos_crypto.refusals import OwnRefusedError, PeerRefusedError, RefusedError

# Of proofs that this node makes.


class LimitError(OwnRefusedError):
    kind = ErrorKind.OUT_OF_RANGE
    reason = "LIMIT_OUT_OF_RANGE"


class MessageIdError(OwnRefusedError):
    kind = ErrorKind.OUT_OF_RANGE
    reason = "MESSAGE_ID_OUT_OF_RANGE"


class MessageIdRepeatedError(OwnRefusedError):
    reason = "MESSAGE_ID_REPEATED"


class MessageIdCountError(OwnRefusedError):
    reason = "MESSAGE_ID_COUNT"


class SeedError(OwnRefusedError):
    reason = "SEED_TOO_SHORT"


class SecretZeroError(OwnRefusedError):
    reason = "SECRET_ZERO"


class CommitmentError(OwnRefusedError):
    reason = "COMMITMENT_MISMATCH"


class PathIndexError(OwnRefusedError):
    kind = ErrorKind.OUT_OF_RANGE
    reason = "PATH_INDEX_OUT_OF_RANGE"


class PathSelectorError(OwnRefusedError):
    reason = "PATH_SELECTOR_NOT_BOOLEAN"


class PathNotToRootError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PATH_NOT_TO_ROOT"


class ProverFailedError(OwnRefusedError):
    kind = ErrorKind.INTERNAL
    reason = "PROVER_FAILED"


class PreparationSpentError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PREPARATION_SPENT"


# Of encodings.


class PointNotCanonicalError(RefusedError):
    reason = "POINT_NOT_CANONICAL"


class PointAtInfinityError(RefusedError):
    reason = "POINT_AT_INFINITY"


class PointNotOnCurveError(RefusedError):
    reason = "POINT_NOT_ON_CURVE"


class PointNotInSubgroupError(RefusedError):
    reason = "POINT_NOT_IN_SUBGROUP"


class EncodingLengthError(RefusedError):
    reason = "ENCODING_LENGTH"


class EncodingTagError(RefusedError):
    reason = "ENCODING_TAG"


class SelectorError(RefusedError):
    reason = "SELECTOR_NOT_BOOLEAN"


class EpochError(RefusedError):
    reason = "EPOCH_NOT_NUMBER"


class IdentifierError(OwnRefusedError):
    reason = "IDENTIFIER_LENGTH"


# Of a peer's proofs.


class NoSlotUsedError(PeerRefusedError):
    reason = "NO_SLOT_USED"


class UnusedSlotError(PeerRefusedError):
    reason = "UNUSED_SLOT_NOT_ZERO"


class NullifierRepeatedError(PeerRefusedError):
    reason = "NULLIFIER_REPEATED"


class RootUnknownError(PeerRefusedError):
    reason = "ROOT_UNKNOWN"


class ExternalNullifierError(PeerRefusedError):
    reason = "EXTERNAL_NULLIFIER_MISMATCH"


class SignalError(PeerRefusedError):
    reason = "SIGNAL_MISMATCH"


class ProofInvalidError(PeerRefusedError):
    reason = "PROOF_INVALID"


# Of two shares.


class SharesOfDifferentEpochsError(OwnRefusedError):
    reason = "SHARES_OF_DIFFERENT_EPOCHS"


class SharesOfDifferentNullifiersError(OwnRefusedError):
    reason = "SHARES_OF_DIFFERENT_NULLIFIERS"


class SharesOfOneMessageError(OwnRefusedError):
    reason = "SHARES_OF_ONE_MESSAGE"


class SharesInconsistentError(OwnRefusedError):
    reason = "SHARES_INCONSISTENT"
