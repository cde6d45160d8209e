"""What the registry of members refuses. Reasons are stable; those of `RLN_` are the contract's."""

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError, StateError


class RegistryOffError(LogosError):
    """The settings of this node name no registry (RLC-1)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_REGISTRY_OFF"


class RegistryNeedsAllBlocksError(LogosError):
    """Members are read from the genesis on, and the chain here begins with a checkpoint (RLC-8)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_REGISTRY_NEEDS_ALL_BLOCKS"


class RegistryTakenError(LogosError):
    """The registry's channel began otherwise than the rules say (RLC-2)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_REGISTRY_TAKEN"


class RegistryBehindError(LogosError):
    """The final chain was not read up to its end yet (RLC-8)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "RLN_REGISTRY_BEHIND"
    retry_after_ms = 5_000


class KeeperKeyError(LogosError):
    """The file of the keeper's key has none, or another one (RLC-12)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RLN_KEEPER_KEY"


class CommitmentInvalidError(LogosError):
    """A commitment is no field value of 32 bytes, or zero."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_COMMITMENT_INVALID"


class LimitMismatchError(LogosError):
    """Another limit than the registry's."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_LIMIT_MISMATCH"


class MembersFullError(LogosError):
    """The registry has as many members as it may."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_MEMBERS_FULL"


class MemberSlashedError(LogosError):
    """The member was removed, and does not come back (RLC-5)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "RLN_MEMBER_SLASHED"


class RegistrationPendingError(LogosError):
    """It is on its way and goes on: ask again (RLC-9)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "RLN_REGISTRATION_PENDING"
    retry_after_ms = 10_000


class SlashMalformedError(RemoteFaultError):
    """Bytes that are no record of RLN-23."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_SLASH_MALFORMED"


class EvidenceError(RemoteFaultError):
    """What was given proves nothing against a member (RLC-10)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RLN_EVIDENCE_INVALID"


class RegistryStateDamagedError(StateError):
    """What was kept of the registry is not what was written; it is read anew from the chain."""

    reason = "RLN_REGISTRY_STATE_DAMAGED"
