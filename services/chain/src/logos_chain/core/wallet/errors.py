"""What a wallet refuses: one class per rule. The reasons are stable API.

No text holds a secret: a phrase's fault is told by the place of a word.
"""

from logos_base.errors import ErrorKind, LocalFaultError


class EntropyLengthError(LocalFaultError):
    """Entropy of a length that makes no phrase (WAL-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_ENTROPY_LENGTH"


class PhraseLengthError(LocalFaultError):
    """A phrase of too many or too few words (WAL-2)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_PHRASE_LENGTH"


class PhraseWordError(LocalFaultError):
    """A word that is not in the list (WAL-2)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_PHRASE_WORD"


class PhraseChecksumError(LocalFaultError):
    """Words of the list that are no phrase together (WAL-2)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_PHRASE_CHECKSUM"


class ChildNumberError(LocalFaultError):
    """A key has no child of this number (WAL-4)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_CHILD_NUMBER"
