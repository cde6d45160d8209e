"""Why a node cannot begin with the files that it was given. The reasons are stable API."""

from logos_base.errors import ErrorKind, StateError


class ChainSpecInvalidError(StateError):
    """A chain specification that is not as one is written; `field` names the place (GEN-10)."""

    reason = "CHAIN_SPEC_INVALID"


class ChainSpecMissingError(StateError):
    """There is no chain specification where a node looks for it (GEN-10)."""

    kind = ErrorKind.NOT_FOUND
    reason = "CHAIN_SPEC_MISSING"


class VerifyingKeyMismatchError(StateError):
    """The key of a circuit is missing, or is not the one that the specification names (GEN-11)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "VERIFYING_KEY_MISMATCH"


class GenesisWalletError(StateError):
    """A private file of a genesis is damaged, or belongs to another chain (GEN-12).

    No text of it holds a word of a phrase.
    """

    reason = "GENESIS_WALLET_DAMAGED"
