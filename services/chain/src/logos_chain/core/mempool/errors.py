"""Why a transaction is not taken, or waits no longer. The reasons are stable API.

Spec: docs/protocol/chain-mempool.md, MPL-4, MPL-5.
"""

from enum import StrEnum
from typing import Final

from logos_base.errors import ErrorKind, LogosError
from logos_chain.core.ledger.errors import Refusal


class MempoolRefusal(StrEnum):
    """What the mempool itself has against a transaction; the rest is the ledger's `Refusal`."""

    MALFORMED = "MALFORMED"
    ALREADY_KNOWN = "ALREADY_KNOWN"
    ALREADY_INCLUDED = "ALREADY_INCLUDED"
    CONFLICT = "CONFLICT"
    TOO_MANY_ANCESTORS = "TOO_MANY_ANCESTORS"
    MEMPOOL_FULL = "MEMPOOL_FULL"
    BUSY = "BUSY"
    INVALID_PROOF = "INVALID_PROOF"
    EXPIRED = "EXPIRED"


Reason = MempoolRefusal | Refusal

_FAULTS: Final[frozenset[Reason]] = frozenset(
    {
        MempoolRefusal.MALFORMED,
        MempoolRefusal.INVALID_PROOF,
        Refusal.PROOF_COUNT,
        Refusal.NO_INPUTS,
        Refusal.REPEATED_INPUT,
        Refusal.EMPTY_NOTE,
        Refusal.RESERVED_CHANNEL,
        Refusal.NO_CHANNEL_KEYS,
        Refusal.INVALID_THRESHOLD,
        Refusal.NO_LOCATORS,
    }
)


def is_fault(reason: Reason) -> bool:
    """Returns whether no honest node would pass such bytes on, whatever its chain is (MPL-5)."""
    return reason in _FAULTS


class SubmissionRefusedError(LogosError):
    """This node's own transaction is not taken: the rule that it breaks is the ledger's."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "TRANSACTION_REFUSED"

    def __init__(self, refusal: Reason) -> None:
        super().__init__(f"the transaction is refused: {refusal}")
        self.refusal = refusal
        """The same as a peer's transaction would be refused with."""


class TransactionMalformedError(SubmissionRefusedError):
    """The bytes are no transaction (MPL-4)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MALFORMED"


class TransactionKnownError(SubmissionRefusedError):
    """It waits already, or is being verified (MPL-4)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "ALREADY_KNOWN"


class TransactionIncludedError(SubmissionRefusedError):
    """A block of the local chain has it (MPL-4)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "ALREADY_INCLUDED"


class TransactionConflictError(SubmissionRefusedError):
    """It spends what a waiting transaction spends (MPL-6)."""

    reason = "CONFLICT"


class TooManyAncestorsError(SubmissionRefusedError):
    """It follows too many waiting transactions (MPL-8)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_ANCESTORS"


class MempoolFullError(SubmissionRefusedError):
    """No room, and what waits tips more (MPL-11)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MEMPOOL_FULL"


class MempoolBusyError(SubmissionRefusedError):
    """Too much is being verified (MPL-10): try again."""

    kind = ErrorKind.UNAVAILABLE
    reason = "BUSY"
    retry_after_ms = 1000


class ProofInvalidError(SubmissionRefusedError):
    """A proof or a signature of it does not hold (MPL-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_PROOF"


_ERRORS: Final[dict[str, type[SubmissionRefusedError]]] = {
    each.reason: each
    for each in (
        TransactionMalformedError,
        TransactionKnownError,
        TransactionIncludedError,
        TransactionConflictError,
        TooManyAncestorsError,
        MempoolFullError,
        MempoolBusyError,
        ProofInvalidError,
    )
}


def submission_error(reason: Reason) -> SubmissionRefusedError:
    """Returns what the caller of a submission is refused with."""
    return _ERRORS.get(reason, SubmissionRefusedError)(reason)
