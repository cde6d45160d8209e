"""Errors of circuits, proofs, keys and ceremonies. The reasons are those of the native core."""

from logos_base.errors import ErrorKind
from logos_crypto.refusals import OwnRefusedError, PeerRefusedError

# Of circuits and their witnesses.


class CircuitUnknownError(OwnRefusedError):
    kind = ErrorKind.NOT_FOUND
    reason = "CIRCUIT_UNKNOWN"


class WitnessWidthError(OwnRefusedError):
    reason = "WITNESS_WIDTH"


class WitnessRelationError(OwnRefusedError):
    reason = "WITNESS_RELATION"


class FixedPartError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "FIXED_PART_CHANGED"


class ProofCancelledError(OwnRefusedError):
    kind = ErrorKind.ABORTED
    reason = "CANCELLED"


# Of proofs.


class ProofLengthError(PeerRefusedError):
    reason = "PROOF_LENGTH"


class ProofPointError(PeerRefusedError):
    reason = "PROOF_POINT"


class ProofInfinityError(PeerRefusedError):
    reason = "PROOF_INFINITY"


class PublicWidthError(OwnRefusedError):
    reason = "PUBLIC_WIDTH"


# Of keys.


class KeyFileError(OwnRefusedError):
    kind = ErrorKind.UNAVAILABLE
    reason = "KEY_IO"


class KeyNameError(OwnRefusedError):
    reason = "KEY_NAME"


class KeyMagicError(OwnRefusedError):
    kind = ErrorKind.DATA_LOSS
    reason = "KEY_MAGIC"


class KeyVersionError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "KEY_VERSION"


class KeyHeaderError(OwnRefusedError):
    kind = ErrorKind.DATA_LOSS
    reason = "KEY_HEADER"


class KeyTornError(OwnRefusedError):
    kind = ErrorKind.DATA_LOSS
    reason = "KEY_TORN"


class KeyDamagedError(OwnRefusedError):
    kind = ErrorKind.DATA_LOSS
    reason = "KEY_DAMAGED"


class KeyPointError(OwnRefusedError):
    kind = ErrorKind.DATA_LOSS
    reason = "KEY_POINT"


class KeyMatricesError(OwnRefusedError):
    kind = ErrorKind.DATA_LOSS
    reason = "KEY_MATRICES"


class KeyOtherCircuitError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "KEY_OTHER_CIRCUIT"


class KeyOtherError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "KEY_OTHER"


class KeyMissingError(OwnRefusedError):
    kind = ErrorKind.NOT_FOUND
    reason = "KEY_MISSING"


class KeySetupError(OwnRefusedError):
    kind = ErrorKind.INTERNAL
    reason = "KEY_SETUP"


class KeyTooLargeError(OwnRefusedError):
    kind = ErrorKind.OUT_OF_RANGE
    reason = "KEY_TOO_LARGE"


class KeyOtherConstraintsError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "KEY_OTHER_CONSTRAINTS"


# Of ceremonies.


class TranscriptHeaderError(PeerRefusedError):
    reason = "TRANSCRIPT_HEADER"


class TranscriptKeyError(PeerRefusedError):
    reason = "TRANSCRIPT_INITIAL_KEY"


class ContributionMalformedError(PeerRefusedError):
    reason = "CONTRIBUTION_MALFORMED"


class ContributionNotChainedError(PeerRefusedError):
    reason = "CONTRIBUTION_NOT_CHAINED"


class ContributionUnchangedError(PeerRefusedError):
    reason = "CONTRIBUTION_UNCHANGED"


class ContributionNoProofError(PeerRefusedError):
    reason = "CONTRIBUTION_NO_PROOF"


class ContributionDeltaG1Error(PeerRefusedError):
    reason = "CONTRIBUTION_DELTA_G1"


class ContributionDeltaG2Error(PeerRefusedError):
    reason = "CONTRIBUTION_DELTA_G2"


class ContributionLQueryError(PeerRefusedError):
    reason = "CONTRIBUTION_L_QUERY"


class ContributionHQueryError(PeerRefusedError):
    reason = "CONTRIBUTION_H_QUERY"


class ContributorNameError(OwnRefusedError):
    reason = "CONTRIBUTOR_NAME"


class CeremonyEmptyError(OwnRefusedError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CEREMONY_EMPTY"


class CeremonyFullError(OwnRefusedError):
    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "CEREMONY_FULL"
