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


class KeyUnknownError(LocalFaultError):
    """The wallet has no secret of this public key: it is another's, or only watched (WAL-9)."""

    kind = ErrorKind.NOT_FOUND
    reason = "WALLET_KEY_UNKNOWN"


class TooManyWatchedError(LocalFaultError):
    """More keys to watch than a wallet keeps (WAL-9)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "WALLET_TOO_MANY_WATCHED"


class FundsInsufficientError(LocalFaultError):
    """The notes that can be spent are worth less than what is wanted and its fee (WAL-13)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_FUNDS_INSUFFICIENT"


class NotesTooSmallError(LocalFaultError):
    """There is enough, in more notes than one signature can spend (WAL-13)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_NOTES_TOO_SMALL"


class NoteUnavailableError(LocalFaultError):
    """A note that is spent, locked, watched, or reserved for another transaction (WAL-12)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_NOTE_UNAVAILABLE"


class OrderInvalidError(LocalFaultError):
    """An order that no transaction can fulfil (WAL-14)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_ORDER_INVALID"


class FeeTooHighError(LocalFaultError):
    """Fee and tip are more than the order allows (WAL-14)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_FEE_TOO_HIGH"


class TooManyPendingError(LocalFaultError):
    """Waiting transactions hold all fresh keys that a restored wallet would look for (WAL-8)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "WALLET_TOO_MANY_PENDING"


class VoucherUnavailableError(LocalFaultError):
    """No voucher is in the tree that is neither claimed nor reserved (WAL-15)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_VOUCHER_UNAVAILABLE"


class RewardTooSmallError(LocalFaultError):
    """A voucher's share does not pay the fee of its claim (WAL-15)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_REWARD_TOO_SMALL"


class TransactionUnknownError(LocalFaultError):
    """The wallet waits for no transaction of this hash (WAL-16)."""

    kind = ErrorKind.NOT_FOUND
    reason = "WALLET_TRANSACTION_UNKNOWN"


class WalletStateDamagedError(LocalFaultError):
    """Kept bytes of a wallet that are not what was written (WAL-22)."""

    kind = ErrorKind.DATA_LOSS
    reason = "WALLET_STATE_DAMAGED"


class WalletOtherError(LocalFaultError):
    """Kept bytes of a wallet of another phrase (WAL-22)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "WALLET_OTHER"


class WalletScanningError(LocalFaultError):
    """The wallet looks through the chain still: it does not know yet what it has (WAL-26)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "WALLET_SCANNING"
    retry_after_ms = 1000


class WalletBehindError(LocalFaultError):
    """The wallet has not followed the whole chain yet (WAL-29)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "WALLET_BEHIND"
    retry_after_ms = 1000


class RequestReusedError(LocalFaultError):
    """Another order had this name (WAL-25)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "WALLET_REQUEST_REUSED"


class PassphraseEmptyError(LocalFaultError):
    """A keystore without a passphrase protects nothing (WAL-19)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_PASSPHRASE_EMPTY"


class SecretTooLongError(LocalFaultError):
    """More bytes than a keystore holds (WAL-19)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WALLET_SECRET_TOO_LONG"


class KeystoreDamagedError(LocalFaultError):
    """Bytes that are no keystore, or not those that were written (WAL-20)."""

    kind = ErrorKind.DATA_LOSS
    reason = "WALLET_KEYSTORE_DAMAGED"


class KeystoreVersionError(LocalFaultError):
    """A keystore of another version, or with a cost that this one does not pay (WAL-20)."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "WALLET_KEYSTORE_VERSION"


class PassphraseWrongError(LocalFaultError):
    """The keystore is whole, and this passphrase does not open it (WAL-20)."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "WALLET_PASSPHRASE_WRONG"
