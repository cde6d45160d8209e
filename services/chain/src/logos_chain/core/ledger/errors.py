"""Why the ledger refuses. The reasons are stable API.

Spec: docs/protocol/chain-ledger.md, LED-3.
"""

from enum import StrEnum

from logos_base.errors import ErrorKind, LocalFaultError


class Refusal(StrEnum):
    """What is wrong with a transaction or a block."""

    PROOF_COUNT = "PROOF_COUNT"
    AMOUNT_OVERFLOW = "AMOUNT_OVERFLOW"
    FEE_TOO_LOW = "FEE_TOO_LOW"
    TOO_MUCH_GAS = "TOO_MUCH_GAS"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    TOO_MANY_TRANSACTIONS = "TOO_MANY_TRANSACTIONS"
    EMPTY_VOUCHER = "EMPTY_VOUCHER"

    NO_INPUTS = "NO_INPUTS"
    TOO_MANY_INPUTS = "TOO_MANY_INPUTS"
    REPEATED_INPUT = "REPEATED_INPUT"
    UNKNOWN_NOTE = "UNKNOWN_NOTE"
    SPENT_NOTE = "SPENT_NOTE"
    LOCKED_NOTE = "LOCKED_NOTE"
    CHANNEL_NOTE = "CHANNEL_NOTE"
    NOT_CHANNEL_NOTE = "NOT_CHANNEL_NOTE"
    EMPTY_NOTE = "EMPTY_NOTE"
    DUPLICATE_NOTE = "DUPLICATE_NOTE"

    UNKNOWN_CHANNEL = "UNKNOWN_CHANNEL"
    RESERVED_CHANNEL = "RESERVED_CHANNEL"
    UNAUTHORIZED_SIGNER = "UNAUTHORIZED_SIGNER"
    WRONG_CHANNEL_PARENT = "WRONG_CHANNEL_PARENT"
    INVALID_THRESHOLD = "INVALID_THRESHOLD"
    NO_CHANNEL_KEYS = "NO_CHANNEL_KEYS"
    REPLAYED_CONFIGURATION = "REPLAYED_CONFIGURATION"
    SIGNATURE_COUNT = "SIGNATURE_COUNT"
    UNBALANCED_CHANNEL = "UNBALANCED_CHANNEL"

    DUPLICATE_NULLIFIER = "DUPLICATE_NULLIFIER"
    WRONG_REWARDS_ROOT = "WRONG_REWARDS_ROOT"
    NO_REWARD = "NO_REWARD"

    NO_LOCATORS = "NO_LOCATORS"
    DUPLICATE_DECLARATION = "DUPLICATE_DECLARATION"
    DUPLICATE_PROVIDER = "DUPLICATE_PROVIDER"
    STAKE_TOO_LOW = "STAKE_TOO_LOW"
    UNKNOWN_DECLARATION = "UNKNOWN_DECLARATION"
    WRONG_LOCKED_NOTE = "WRONG_LOCKED_NOTE"
    ALREADY_WITHDRAWN = "ALREADY_WITHDRAWN"
    STALE_NONCE = "STALE_NONCE"
    WRONG_ACTIVITY_EPOCH = "WRONG_ACTIVITY_EPOCH"
    NOT_A_PROVIDER = "NOT_A_PROVIDER"
    DUPLICATE_ACTIVITY = "DUPLICATE_ACTIVITY"
    TOO_FAR = "TOO_FAR"


class Unmet(StrEnum):
    """Which kind of obligation of a block does not hold (LED-4)."""

    ACTIVITY_UNVERIFIABLE = "ACTIVITY_UNVERIFIABLE"
    """There is no Blend network yet, whose quotas its proofs would be verified with."""
    SIGNATURE = "SIGNATURE"
    """Ed25519."""
    ZK_SIGNATURE = "ZK_SIGNATURE"
    CLAIM = "CLAIM"


class RefusedError(Exception):
    """Carries a refusal to the boundary of the core, where it is returned as a value."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


class SupplyBrokenError(LocalFaultError):
    """Tokens were made or lost by no rule: the ledger's state or its code is damaged (LED-39)."""

    kind = ErrorKind.DATA_LOSS
    reason = "LEDGER_SUPPLY_BROKEN"


class GenesisInvalidError(LocalFaultError):
    """A genesis whose declarations or notes the ledger refuses: a chain cannot begin with it."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "LEDGER_GENESIS_INVALID"


def refuse_unless(holds: bool, reason: Refusal) -> None:  # noqa: FBT001 -- reads as a sentence
    """Raises `RefusedError` unless a condition holds."""
    if not holds:
        raise RefusedError(reason)
