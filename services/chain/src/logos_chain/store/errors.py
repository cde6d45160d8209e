"""Why a chain's store refuses. The reasons are stable API."""

from logos_base.errors import ErrorKind, LocalFaultError


class ChainStoreBegunError(LocalFaultError):
    """A chain is kept already: another one needs an empty store (CHS-3)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CHAIN_STORE_BEGUN"
