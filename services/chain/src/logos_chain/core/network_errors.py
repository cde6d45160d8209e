"""What can go wrong between nodes of a chain, one class per rule. The reasons are stable API."""

from logos_base.errors import ErrorKind, LogosError


class AncestorsMissingError(LogosError):
    """No peer that was asked has a block's ancestors (CNW-12)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "ANCESTORS_MISSING"


class TransactionOversizeError(LogosError):
    """A transaction is larger than the network passes on in one message (CNW-22)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TRANSACTION_OVERSIZE"
