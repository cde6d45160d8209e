"""Why a message of another node is not passed on. The reasons are stable API."""

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError


class RateLimitProofMalformedError(RemoteFaultError):
    """Bytes are no `RateLimitProof`, or of another application (DSN-17)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RATE_LIMIT_PROOF_MALFORMED"


class RateLimitProofMissingError(RemoteFaultError):
    """A message without a proof, where the network wants one (DSN-18)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RATE_LIMIT_PROOF_MISSING"


class RateLimitProofRefusedError(RemoteFaultError):
    """A proof does not hold, or its member has sent too much (DSN-18)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "RATE_LIMIT_PROOF_REFUSED"


class NotBlamedError(LogosError):
    """A message is not passed on, and its neighbour is not to blame (DSN-15)."""


class RateLimitProofNotJudgedError(NotBlamedError):
    """This node could not judge a proof now (DSN-18)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "RATE_LIMIT_PROOF_NOT_JUDGED"
    retry_after_ms = 1_000


class RateLimitProofStaleError(NotBlamedError):
    """A proof is for a root that this node does not accept: one of both is behind (DSN-18)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RATE_LIMIT_PROOF_STALE"


class RateLimitProofRepeatedError(NotBlamedError):
    """The same message came before, under other bytes (DSN-18)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "RATE_LIMIT_PROOF_REPEATED"


class TimestampTooFarError(RemoteFaultError):
    """A timestamp is over 20 seconds away (DSN-16)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "TIMESTAMP_TOO_FAR"


class ProofEpochError(RemoteFaultError):
    """A proof is for another epoch than that of its message's timestamp (DSN-18)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "PROOF_EPOCH_MISMATCH"


class ShardSignatureError(RemoteFaultError):
    """A message on a protected shard is not signed by the shard's key (DSN-20)."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "SHARD_SIGNATURE_INVALID"
