"""Errors of rate limits, one class per rule. Those of proofs are `logos_crypto.rln_refusals`'."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError, StateError

# Of what a peer sends.


class ProofMalformedError(RemoteFaultError):
    """The bytes at the end of a packet are no `RateLimitProof` (RLN-11)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_PROOF_MALFORMED"


class EpochTooFarError(RemoteFaultError):
    """A proof is for an epoch too long ago, or too far ahead (RLN-17)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "RLN_EPOCH_TOO_FAR"


class ProofRepeatedError(RemoteFaultError):
    """The message of this nullifier was seen before (RLN-20)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "RLN_PROOF_REPEATED"


class MessageIdReusedError(RemoteFaultError):
    """A member used one message id for two messages (RLN-20)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "RLN_MESSAGE_ID_REUSED"


class AnnouncementMalformedError(RemoteFaultError):
    """Bytes are no announcement of a member (RLN-22)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_ANNOUNCEMENT_MALFORMED"


class SlashMalformedError(RemoteFaultError):
    """Bytes are no slash record (RLN-23)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_SLASH_MALFORMED"


class SignatureError(RemoteFaultError):
    """An announcement or a slash record is not signed by the peer that it names."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "RLN_SIGNATURE_INVALID"


class RegistrationClosedError(RemoteFaultError):
    """The network takes no announcements (RLN-22)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_REGISTRATION_CLOSED"


class LimitMismatchError(RemoteFaultError):
    """A member announces another limit than the network's (RLN-22)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_LIMIT_MISMATCH"


class MemberExistsError(RemoteFaultError):
    """The commitment is one of the genesis list (RLN-22)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "RLN_MEMBER_EXISTS"


class PeerEquivocatedError(RemoteFaultError):
    """A peer has announced two commitments before, and is no member any more (RLN-36)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "RLN_PEER_EQUIVOCATED"


class MemberSlashedError(RemoteFaultError):
    """The peer or its commitment was slashed, and cannot come back (RLN-23)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "RLN_MEMBER_SLASHED"


class EvidenceError(RemoteFaultError):
    """A slash record proves nothing: its shares give no member's secret (RLN-23)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_EVIDENCE_INVALID"


class ReportMalformedError(RemoteFaultError):
    """Bytes are no shares that a relay saw (RLN-28)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_REPORT_MALFORMED"


class RecordsMalformedError(RemoteFaultError):
    """Bytes are no records of members (RLN-27)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_RECORDS_MALFORMED"


class AllocationMalformedError(RemoteFaultError):
    """Bytes are no message of LIP-158, or a value in one is not valid (RLN-31)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_ALLOCATION_MALFORMED"


class AuthenticationError(RemoteFaultError):
    """A request for a membership is not authenticated (RLN-31)."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "RLN_NOT_AUTHENTICATED"


class AllocationRefusedError(RemoteFaultError):
    """A provider gave no membership (RLN-31)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_ALLOCATION_REFUSED"


# Of a caller.


class IdentifierReservedError(LogosError):
    """An rln identifier is not 32 bytes, or is the mix's own, whose budget is not for callers
    (RLN-33)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_IDENTIFIER_INVALID"


class TooManyIdentifiersError(LocalFaultError):
    """This node keeps budgets for as many identifiers as it may (RLN-33)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_TOO_MANY_IDENTIFIERS"


class SignalSizeError(LogosError):
    """A signal is empty, or too long (RLN-33)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_SIGNAL_SIZE"


class RootsError(LogosError):
    """The roots to verify against are none, too many, or not 32 bytes each (RLN-33)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_ROOTS_INVALID"


# Of this node.


class BudgetSpentError(LocalFaultError):
    """No message id is left in this epoch, for what does not wait for the next (RLN-18)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_BUDGET_SPENT"


class TooManyWaitingError(LocalFaultError):
    """As many messages wait for an id as may (RLN-18)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_TOO_MANY_WAITING"


class ProofLateError(LocalFaultError):
    """A proof waited on this node until its epoch was too far away to leave (RLN-38)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "RLN_PROOF_LATE"


class VerifierBusyError(LocalFaultError):
    """As many proofs are being verified as may be (RLN-19)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_VERIFIER_BUSY"


class NullifierLogFullError(LocalFaultError):
    """An epoch has more nullifiers than its members can make (RLN-20)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_NULLIFIER_LOG_FULL"


class MembersFullError(LocalFaultError):
    """As many peers as may, with lower ids, have announced themselves (RLN-36)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_MEMBERS_FULL"


class MemberUnknownError(LocalFaultError):
    """The commitment is no member's under the present root (RLN-21)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_MEMBER_UNKNOWN"


class SecretLostError(StateError):
    """This node has announced another commitment than that of its secret (RLN-24)."""

    reason = "RLN_SECRET_LOST"


class GenesisDamagedError(StateError):
    """The files with which a testnet's nodes begin cannot be read (RLN-39)."""

    reason = "GENESIS_DAMAGED"


class RegistryUnavailableError(LocalFaultError):
    """The registry's service does not answer (RLN-30)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "RLN_REGISTRY_UNAVAILABLE"
    retry_after_ms = 1000


class RegistrationPendingError(RegistryUnavailableError):
    """The registry is not sure of the member yet, and goes on (RLN-40)."""

    reason = "RLN_REGISTRATION_PENDING"
    retry_after_ms = 10_000


class RlnOffError(LocalFaultError):
    """Rate limits are switched off on this node."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_OFF"
