"""Why a chain's store refuses. The reasons are stable API."""

from logos_base.errors import ErrorKind, LocalFaultError, StateError


class ChainStoreDamagedError(StateError):
    """What was read is not what was written (CHS-10). Nothing was changed."""

    reason = "CHAIN_STORE_DAMAGED"


class ChainStoreBegunError(LocalFaultError):
    """A chain is kept already: another one needs an empty store (CHS-3)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CHAIN_STORE_BEGUN"
