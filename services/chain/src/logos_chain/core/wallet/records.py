"""How entries of the history and drafts that were submitted are written down, each by itself.

Spec: docs/protocol/chain-wallet.md, WAL-23, WAL-24.
"""

from dataclasses import dataclass
from typing import Final

from logos_chain.core.wallet.errors import WalletStateDamagedError
from logos_chain.core.wallet.state import reading
from logos_chain.core.wallet.types import Draft, Entry
from logos_mantle import octets
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.notes import Note
from logos_mantle.octets import HASH_BYTES, ZERO, Reader
from logos_mantle.transactions import SignedTransaction

MAX_REQUEST_BYTES: Final = 64
"""Of a caller's name for an order (WAL-25)."""

_VERSION: Final = b"\x01"
FULFILLED: Final = b"\x81"
"""The first byte of an encoded `Fulfilled`, in place of the version of a submission."""
_ENTRY_BYTES: Final = 256
_U64: Final = 8
_MAX_KEYS: Final = 255


@dataclass(frozen=True, slots=True)
class Submission:
    """A draft with its proofs, as it is given to others."""

    draft: Draft
    signed: SignedTransaction
    request: bytes = b""
    """The caller's name for its order, at most 64 bytes; empty: it has none."""
    order: bytes = ZERO
    """Digest of that order, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """What stays of a submission with a name once it is final (WAL-25)."""

    request: bytes
    """At most 64 bytes."""
    order: bytes
    """Digest, 32 bytes."""
    hash: bytes
    """Of the transaction, 32 bytes."""


def encode_entry(entry: Entry) -> bytes:
    """Encodes an entry: 67 or 99 bytes; raises `ValueUnencodableError`."""
    return b"".join(
        (
            _VERSION,
            octets.fixed(entry.block, HASH_BYTES, "block"),
            octets.number(entry.slot, _U64, "slot"),
            octets.number(entry.height, _U64, "height"),
            _maybe(entry.transaction),
            octets.number(entry.received, _U64, "received"),
            octets.number(entry.spent, _U64, "spent"),
            octets.number(entry.is_watched, 1, "is_watched"),
        )
    )


def decode_entry(raw: bytes) -> Entry:
    """Reads an entry; raises `WalletStateDamagedError` for what is none."""
    with reading(raw, "history", _ENTRY_BYTES) as reader:
        _version(reader)
        return Entry(
            block=reader.take(HASH_BYTES),
            slot=reader.number(_U64),
            height=reader.number(_U64),
            transaction=reader.take(HASH_BYTES) if reader.number(1) else None,
            received=reader.number(_U64),
            spent=reader.number(_U64),
            is_watched=bool(reader.number(1)),
        )


def encode_submission(submission: Submission) -> bytes:
    """Encodes a submission: at most 2 MiB and some 10 KiB; raises `ValueUnencodableError`."""
    draft = submission.draft
    change = b"" if draft.change is None else draft.change.encode()
    voucher = 0 if draft.voucher is None else draft.voucher + 1
    return b"".join(
        (
            _VERSION,
            octets.sized(submission.request, 1, MAX_REQUEST_BYTES, "request"),
            octets.fixed(submission.order, HASH_BYTES, "order"),
            octets.number(draft.fee, _U64, "fee"),
            octets.number(draft.tip, _U64, "tip"),
            _keys(draft.signing_keys),
            _keys(draft.keys),
            octets.number(voucher, _U64, "voucher"),
            octets.sized(change, 1, 40, "change"),
            submission.signed.encoded,
        )
    )


def decode_submission(raw: bytes) -> Submission:
    """Reads a submission; raises `WalletStateDamagedError` for what is none."""
    with reading(raw, "draft", MAX_BODY_BYTES + (1 << 15)) as reader:
        _version(reader)
        request, order = reader.take(reader.number(1)), reader.take(HASH_BYTES)
        fee, tip = reader.number(_U64), reader.number(_U64)
        signing_keys, keys = _read_keys(reader), _read_keys(reader)
        voucher = reader.number(_U64)
        change = Note.read(reader) if reader.number(1) else None
        signed = SignedTransaction.read(reader)
        draft = Draft(
            transaction=signed.transaction,
            fee=fee,
            tip=tip,
            signing_keys=signing_keys,
            change=change,
            keys=keys,
            voucher=voucher - 1 if voucher else None,
        )
    return Submission(draft, signed, request, order)


def encode_fulfilled(fulfilled: Fulfilled) -> bytes:
    """Encodes what stays of a submission: at most 130 bytes; raises `ValueUnencodableError`."""
    return (
        FULFILLED
        + octets.sized(fulfilled.request, 1, MAX_REQUEST_BYTES, "request")
        + octets.fixed(fulfilled.order, HASH_BYTES, "order")
        + octets.fixed(fulfilled.hash, HASH_BYTES, "hash")
    )


def decode_draft(raw: bytes) -> Submission | Fulfilled:
    """Reads a submission or what stays of one; raises `WalletStateDamagedError` for all else."""
    if raw[:1] != FULFILLED:
        return decode_submission(raw)
    with reading(raw[1:], "request", _ENTRY_BYTES) as reader:
        return Fulfilled(
            reader.take(reader.number(1)), reader.take(HASH_BYTES), reader.take(HASH_BYTES)
        )


def _version(reader: Reader) -> None:
    if reader.take(1) != _VERSION:
        raise WalletStateDamagedError("a kept record of a wallet is of another version")


def _maybe(raw: bytes | None) -> bytes:
    return b"\0" if raw is None else b"\1" + octets.fixed(raw, HASH_BYTES, "transaction")


def _keys(keys: tuple[bytes, ...]) -> bytes:
    return octets.listed([octets.field(each, "keys") for each in keys], 1, _MAX_KEYS, "keys")


def _read_keys(reader: Reader) -> tuple[bytes, ...]:
    return tuple([reader.field() for _ in range(reader.number(1))])
