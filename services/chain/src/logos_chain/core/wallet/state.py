"""What a wallet keeps of itself after its newest final block, and how that is written down.

An encoding begins with its version, one byte, and ends with a digest. It has one form: what
decodes, encodes to the same bytes. It holds no secret, but all that a wallet owns.

Spec: docs/protocol/chain-wallet.md, WAL-22.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Self

from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.errors import WalletStateDamagedError
from logos_chain.core.wallet.types import OwnedNote
from logos_chain.core.wallet.voucher_tree import VoucherTree
from logos_crypto.trees import LEDGER_DEPTH
from logos_mantle import octets
from logos_mantle.errors import MalformedError, ValueUnencodableError
from logos_mantle.notes import Note
from logos_mantle.octets import HASH_BYTES, Reader

VERSION: Final = 1
MAX_STATE_BYTES: Final = 1 << 30
"""Far above any wallet's; some 150 bytes a note."""
ROLES: Final = (Role.RECEIVE, Role.CHANGE)

_DIGEST_BYTES: Final = 16
_MAX_KEYS: Final = 1 << 24
"""Of a role: their derivation would take half an hour."""
_MAX_ENTRIES: Final = (1 << 32) - 1
_U64: Final = 8
_U32: Final = 4
_WATCHED, _CHANNEL, _DECLARATION, _ORIGIN = (1 << bit for bit in range(4))


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """The keys of one role, by their numbers, ascending."""

    used: tuple[int, ...] = ()
    """Those that have got a note up to the block."""
    seen: tuple[int, ...] = ()
    """Those that any block has used, undone ones too."""


@dataclass(frozen=True, slots=True)
class KeptVoucher:
    """A voucher that a block of the chain has."""

    number: int
    place: int | None
    is_claimed: bool


@dataclass(frozen=True, slots=True)
class WalletState:
    """A wallet after a final block."""

    owner: bytes
    """The first public key of the account, 32 bytes; zeros: it only watches."""
    block: bytes
    """Id of the block, 32 bytes."""
    height: int
    """The block's; that of the genesis' parent is -1."""
    next_voucher: int
    next_receive: int
    """The number of the key that is given out next."""
    keys: dict[Role, KeptKeys]
    watched: tuple[bytes, ...]
    """Ascending."""
    notes: dict[bytes, OwnedNote]
    """By ascending id."""
    vouchers: tuple[KeptVoucher, ...]
    """By ascending number."""
    tree: VoucherTree = field(default_factory=VoucherTree)

    def encode(self) -> bytes:
        """Returns the bytes; raises `ValueUnencodableError`."""
        parts = [
            octets.number(VERSION, 1, "version"),
            octets.fixed(self.owner, HASH_BYTES, "owner"),
            octets.fixed(self.block, HASH_BYTES, "block"),
            octets.number(self.height + 1, _U64, "height"),
            octets.number(self.next_voucher, _U64, "next_voucher"),
            octets.number(self.next_receive, _U32, "next_receive"),
        ]
        for role in ROLES:
            parts += [_numbers(self.keys[role].used), _numbers(self.keys[role].seen)]
        watched = [octets.field(each, "watched") for each in self.watched]
        notes = [octets.field(key, "id") + _note(each) for key, each in self.notes.items()]
        vouchers = [_voucher(each) for each in self.vouchers]
        parts += [_list(each) for each in (watched, notes, vouchers)]
        parts.append(_tree(self.tree))
        raw = b"".join(parts)
        return raw + _digest(raw)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Reads what `encode` has written; raises `WalletStateDamagedError` for all else."""
        content = raw[:-_DIGEST_BYTES]
        if _digest(content) != raw[-_DIGEST_BYTES:]:
            raise WalletStateDamagedError("the kept state of a wallet is damaged")
        with reading(content, "state", MAX_STATE_BYTES) as reader:
            if reader.number(1) != VERSION:
                raise WalletStateDamagedError("the kept state of a wallet is of another version")
            state = cls(
                owner=reader.take(HASH_BYTES),
                block=reader.take(HASH_BYTES),
                height=reader.number(_U64) - 1,
                next_voucher=reader.number(_U64),
                next_receive=reader.number(_U32),
                keys={
                    role: KeptKeys(_read_numbers(reader), _read_numbers(reader)) for role in ROLES
                },
                watched=tuple([reader.field() for _ in _count(reader)]),
                notes={reader.field(): _read_note(reader) for _ in _count(reader)},
                vouchers=tuple([_read_voucher(reader) for _ in _count(reader)]),
                tree=_read_tree(reader),
            )
            if state.encode() != raw:
                raise WalletStateDamagedError("the kept state of a wallet has another form")
        return state


@contextmanager
def reading(raw: bytes, what: str, limit: int) -> Iterator[Reader]:
    """Reads all of some bytes; raises `WalletStateDamagedError` for any fault of them."""
    try:
        reader = Reader(raw, limit=limit)
        yield reader
        reader.end()
    except (MalformedError, ValueUnencodableError) as error:
        raise WalletStateDamagedError(f"the kept {what} of a wallet does not decode") from error


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=_DIGEST_BYTES).digest()


def _list(parts: Sequence[bytes]) -> bytes:
    return octets.listed(parts, _U32, _MAX_ENTRIES, "entries")


def _count(reader: Reader) -> range:
    return range(reader.number(_U32))


def _numbers(numbers: Iterable[int]) -> bytes:
    """Encodes ascending numbers as runs: first, and how many."""
    runs: list[list[int]] = []
    for each in numbers:
        if runs and each == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([each, 1])
    return _list([octets.number(a, _U32, "keys") + octets.number(n, _U32, "keys") for a, n in runs])


def _read_numbers(reader: Reader) -> tuple[int, ...]:
    found: list[int] = []
    for _ in _count(reader):
        first, count = reader.number(_U32), reader.number(_U32)
        if len(found) + count > _MAX_KEYS:
            raise WalletStateDamagedError("the kept state of a wallet has too many keys")
        found += range(first, first + count)
    return tuple(found)


def _note(note: OwnedNote) -> bytes:
    flags = (
        _WATCHED * note.is_watched
        | _CHANNEL * (note.channel is not None)
        | _DECLARATION * (note.declaration is not None)
        | _ORIGIN * (note.operation_id is not None)
    )
    parts = [note.note.encode(), octets.number(note.since_height, _U64, "since_height")]
    parts.append(octets.number(flags, 1, "flags"))
    hashes = (note.channel, note.declaration, note.operation_id)
    parts += [octets.fixed(each, HASH_BYTES, "hash") for each in hashes if each is not None]
    if note.operation_id is not None:
        parts.append(octets.number(note.output_index, 1, "output_index"))
    return b"".join(parts)


def _read_note(reader: Reader) -> OwnedNote:
    note, since_height, flags = Note.read(reader), reader.number(_U64), reader.number(1)
    channel, declaration, origin = (
        reader.take(HASH_BYTES) if flags & each else None
        for each in (_CHANNEL, _DECLARATION, _ORIGIN)
    )
    return OwnedNote(
        note,
        since_height,
        is_watched=bool(flags & _WATCHED),
        channel=channel,
        declaration=declaration,
        operation_id=origin,
        output_index=0 if origin is None else reader.number(1),
    )


def _voucher(voucher: KeptVoucher) -> bytes:
    place = 0 if voucher.place is None else voucher.place + 1
    return (
        octets.number(voucher.number, _U64, "number")
        + octets.number(place, _U64, "place")
        + octets.number(voucher.is_claimed, 1, "is_claimed")
    )


def _read_voucher(reader: Reader) -> KeptVoucher:
    number, place, is_claimed = reader.number(_U64), reader.number(_U64), reader.number(1)
    return KeptVoucher(number, place - 1 if place else None, bool(is_claimed))


def _tree(tree: VoucherTree) -> bytes:
    waiting = [tree.waiting[level] for level in range(LEDGER_DEPTH) if tree.count >> level & 1]
    beside = [
        octets.number(level, 1, "level") + octets.number(at, _U32, "index") + node
        for (level, at), node in sorted(tree.beside.items())
    ]
    return octets.number(tree.count, _U64, "count") + b"".join(waiting) + _list(beside)


def _read_tree(reader: Reader) -> VoucherTree:
    count = reader.number(_U64)
    levels = [level for level in range(LEDGER_DEPTH) if count >> level & 1]
    waiting = {level: reader.field() for level in levels}
    beside = {
        (reader.number(1), reader.number(_U32)): reader.field() for _ in range(reader.number(_U32))
    }
    return VoucherTree(count, waiting, beside)
