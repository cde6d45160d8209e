"""How values of the ledger and of consensus are written to disk. Pure, and ours alone.

An encoding begins with its version, one byte, and has one form: what decodes, encodes to the same
bytes. Integers are little-endian, parts of other encodings are those of `logos_mantle`. Encoders
raise `ValueUnencodableError`, decoders `ChainStoreDamagedError`, and nothing else.

Spec: docs/protocol/chain-store.md, CHS-7, CHS-8.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final

from logos_chain.core.consensus.epochs import BlockState, EpochState
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.types import (
    Channel,
    Declaration,
    Head,
    Provider,
    Snapshot,
    Snapshots,
    UnspentNote,
)
from logos_chain.core.ports import ChainStoreDamagedError
from logos_mantle import octets
from logos_mantle.errors import MalformedError
from logos_mantle.limits import MAX_CHANNEL_KEYS, MAX_LOCATORS
from logos_mantle.notes import Note
from logos_mantle.octets import HASH_BYTES, KEY_BYTES, Reader
from logos_mantle.prices import ExecutionMarket, StorageMarket
from logos_mantle.services import SdpDeclare

VERSION: Final = b"\x01"
SEAL_BYTES: Final = 8
U64_BYTES: Final = 8
MAX_U64: Final = (1 << 64) - 1

_MAX_PROVIDERS: Final = (1 << 32) - 1
_MAX_FEES: Final = (1 << 16) - 1
_MAX_RECENT: Final = (1 << 32) - 1


# -- entries of the ledger's tables --------------------------------------------------------------


def encode_note(entry: UnspentNote) -> bytes:
    """Encodes a note without its slot: 43 to 107 bytes."""
    return b"".join(
        (
            VERSION,
            entry.note.encode(),
            _maybe_hash(entry.channel, "channel"),
            _maybe_hash(entry.declaration, "declaration"),
        )
    )


def decode_note(raw: bytes, slot: int) -> UnspentNote:
    """Decodes a note of a slot."""
    with _reading(raw, "note") as reader:
        return UnspentNote(
            Note.read(reader), slot, _read_maybe_hash(reader), _read_maybe_hash(reader)
        )


def encode_channel(channel: Channel) -> bytes:
    """Encodes a channel: 32 bytes for each key, and 71 more."""
    keys = [octets.fixed(each, KEY_BYTES, "keys") for each in channel.keys]
    return b"".join(
        (
            VERSION,
            octets.listed(keys, 2, MAX_CHANNEL_KEYS, "keys"),
            octets.number(channel.configuration_threshold, 2, "configuration_threshold"),
            octets.number(channel.transfer_threshold, 2, "transfer_threshold"),
            octets.number(channel.posting_timeframe_slots, 4, "posting_timeframe_slots"),
            octets.number(channel.posting_timeout_slots, 4, "posting_timeout_slots"),
            octets.fixed(channel.tip, HASH_BYTES, "tip"),
            _u64(channel.tip_slot, "tip_slot"),
            _u64(channel.sequencer, "sequencer"),
            _u64(channel.sequencer_since_slot, "sequencer_since_slot"),
        )
    )


def decode_channel(raw: bytes) -> Channel:
    """Decodes a channel."""
    with _reading(raw, "channel") as reader:
        return Channel(
            keys=tuple([reader.take(KEY_BYTES) for _ in range(reader.number(2))]),
            configuration_threshold=reader.number(2),
            transfer_threshold=reader.number(2),
            posting_timeframe_slots=reader.number(4),
            posting_timeout_slots=reader.number(4),
            tip=reader.take(HASH_BYTES),
            tip_slot=reader.number(U64_BYTES),
            sequencer=reader.number(U64_BYTES),
            sequencer_since_slot=reader.number(U64_BYTES),
        )


def encode_declaration(declaration: Declaration) -> bytes:
    """Encodes a declaration: at most about 2,800 bytes."""
    return b"".join(
        (
            VERSION,
            declaration.message.payload(),
            _u64(declaration.created_epoch, "created_epoch"),
            _maybe_u64(declaration.active_epoch, "active_epoch"),
            _maybe_u64(declaration.withdrawn_epoch, "withdrawn_epoch"),
            _u64(declaration.nonce, "nonce"),
        )
    )


def decode_declaration(raw: bytes) -> Declaration:
    """Decodes a declaration."""
    with _reading(raw, "declaration") as reader:
        return Declaration(
            SdpDeclare.read(reader),
            created_epoch=reader.number(U64_BYTES),
            active_epoch=_read_maybe_u64(reader),
            withdrawn_epoch=_read_maybe_u64(reader),
            nonce=reader.number(U64_BYTES),
        )


# -- what does not grow --------------------------------------------------------------------------


def encode_head(head: Head) -> bytes:
    """Encodes a head without its snapshots, sealed: about 1,700 bytes at most."""
    fees = [_u64(each, "fees") for each in head.fees]
    return _sealed(
        b"".join(
            (
                VERSION,
                _u64(head.slot, "slot"),
                _u64(head.epoch, "epoch"),
                octets.fixed(head.root, HASH_BYTES, "root"),
                octets.fixed(head.aged_root, HASH_BYTES, "aged_root"),
                octets.fixed(head.epoch_root, HASH_BYTES, "epoch_root"),
                _u64(head.execution.price, "execution.price"),
                _u64(head.execution.average_gas, "execution.average_gas"),
                _u64(head.storage.price, "storage.price"),
                _u64(head.storage.average_bytes, "storage.average_bytes"),
                _u64(head.stored_bytes, "stored_bytes"),
                octets.listed(fees, 2, _MAX_FEES, "fees"),
                _u64(head.genesis, "genesis"),
                _u64(head.emitted, "emitted"),
                _u64(head.burned, "burned"),
                _u64(head.pool, "pool"),
                _u64(head.leaders, "leaders"),
                _u64(head.services, "services"),
                _u64(head.services_due, "services_due"),
                _u64(head.vouchers, "vouchers"),
                octets.fixed(head.voucher_root, HASH_BYTES, "voucher_root"),
                _sized(head.voucher_frontier, "voucher_frontier"),
            )
        )
    )


def decode_head(raw: bytes, snapshots: Snapshots) -> Head:
    """Decodes a head; its snapshots are kept elsewhere, since they are large and seldom change."""
    with _reading(_unsealed(raw, "head"), "head") as reader:

        def u64() -> int:
            return reader.number(U64_BYTES)

        return Head(
            slot=u64(),
            epoch=u64(),
            root=reader.take(HASH_BYTES),
            aged_root=reader.take(HASH_BYTES),
            epoch_root=reader.take(HASH_BYTES),
            execution=ExecutionMarket(u64(), u64()),
            storage=StorageMarket(u64(), u64()),
            stored_bytes=u64(),
            fees=tuple([u64() for _ in range(reader.number(2))]),
            genesis=u64(),
            emitted=u64(),
            burned=u64(),
            pool=u64(),
            leaders=u64(),
            services=u64(),
            services_due=u64(),
            vouchers=u64(),
            voucher_root=reader.take(HASH_BYTES),
            voucher_frontier=reader.take(reader.number(2)),
            snapshots=snapshots,
        )


def encode_snapshots(snapshots: Snapshots) -> bytes:
    """Encodes the providers of three epochs, sealed: some 130 bytes for each."""
    every = (snapshots.last, snapshots.present, snapshots.coming)
    return _sealed(VERSION + b"".join(_snapshot(each) for each in every))


def decode_snapshots(raw: bytes) -> Snapshots:
    """Decodes the providers of three epochs."""
    with _reading(_unsealed(raw, "snapshots"), "snapshots") as reader:
        return Snapshots(_read_snapshot(reader), _read_snapshot(reader), _read_snapshot(reader))


def encode_tree_block(block: TreeBlock) -> bytes:
    """Encodes a block of the tree, sealed: 8 bytes for each recent slot, and about 400 more."""
    return _sealed(
        b"".join(
            (
                VERSION,
                octets.fixed(block.id, HASH_BYTES, "id"),
                octets.fixed(block.parent, HASH_BYTES, "parent"),
                _u64(block.height, "height"),
                _block_state(block.state),
                _sized(block.leader_key, "leader_key"),
                _u64(block.arrival, "arrival"),
                _maybe_hash(block.skip, "skip"),
            )
        )
    )


def decode_tree_block(raw: bytes) -> TreeBlock:
    """Decodes a block of the tree."""
    with _reading(_unsealed(raw, "block of the tree"), "block of the tree") as reader:
        return TreeBlock(
            id=BlockId(reader.take(HASH_BYTES)),
            parent=BlockId(reader.take(HASH_BYTES)),
            height=reader.number(U64_BYTES),
            state=_read_block_state(reader),
            leader_key=reader.take(reader.number(2)),
            arrival=reader.number(U64_BYTES),
            skip=_read_skip(reader),
        )


# -- parts ---------------------------------------------------------------------------------------


def _block_state(state: BlockState) -> bytes:
    recent = [_u64(each, "recent") for each in state.recent]
    return b"".join(
        (
            _u64(state.slot, "slot"),
            octets.fixed(state.nonce, HASH_BYTES, "nonce"),
            octets.fixed(state.ledger_root, HASH_BYTES, "ledger_root"),
            _u64(state.epoch.epoch, "epoch"),
            octets.fixed(state.epoch.aged_root, HASH_BYTES, "aged_root"),
            octets.fixed(state.epoch.nonce, HASH_BYTES, "epoch.nonce"),
            _u64(state.epoch.total_stake, "total_stake"),
            octets.fixed(state.next_root, HASH_BYTES, "next_root"),
            octets.fixed(state.next_nonce, HASH_BYTES, "next_nonce"),
            _u64(state.occupied, "occupied"),
            octets.listed(recent, 4, _MAX_RECENT, "recent"),
        )
    )


def _read_block_state(reader: Reader) -> BlockState:
    return BlockState(
        slot=reader.number(U64_BYTES),
        nonce=reader.take(HASH_BYTES),
        ledger_root=reader.take(HASH_BYTES),
        epoch=EpochState(
            epoch=reader.number(U64_BYTES),
            aged_root=reader.take(HASH_BYTES),
            nonce=reader.take(HASH_BYTES),
            total_stake=reader.number(U64_BYTES),
        ),
        next_root=reader.take(HASH_BYTES),
        next_nonce=reader.take(HASH_BYTES),
        occupied=reader.number(U64_BYTES),
        recent=tuple([reader.number(U64_BYTES) for _ in range(reader.number(4))]),
    )


def _snapshot(snapshot: Snapshot) -> bytes:
    return octets.listed([_provider(each) for each in snapshot], 4, _MAX_PROVIDERS, "snapshot")


def _read_snapshot(reader: Reader) -> Snapshot:
    return tuple([_read_provider(reader) for _ in range(reader.number(4))])


def _provider(provider: Provider) -> bytes:
    locators = [_sized(each, "locators") for each in provider.locators]
    return b"".join(
        (
            octets.fixed(provider.declaration_id, HASH_BYTES, "declaration_id"),
            octets.fixed(provider.provider_id, KEY_BYTES, "provider_id"),
            octets.fixed(provider.zk_id, HASH_BYTES, "zk_id"),
            octets.listed(locators, 1, MAX_LOCATORS, "locators"),
        )
    )


def _read_provider(reader: Reader) -> Provider:
    return Provider(
        declaration_id=reader.take(HASH_BYTES),
        provider_id=reader.take(KEY_BYTES),
        zk_id=reader.take(HASH_BYTES),
        locators=tuple([reader.take(reader.number(2)) for _ in range(reader.number(1))]),
    )


def _u64(value: int, name: str) -> bytes:
    return octets.number(value, U64_BYTES, name)


def _sized(raw: bytes, name: str) -> bytes:
    return octets.sized(raw, 2, (1 << 16) - 1, name)


def _maybe_hash(raw: bytes | None, name: str) -> bytes:
    return b"\0" if raw is None else b"\1" + octets.fixed(raw, HASH_BYTES, name)


def _read_maybe_hash(reader: Reader) -> bytes | None:
    return reader.take(HASH_BYTES) if _read_flag(reader) else None


def _read_skip(reader: Reader) -> BlockId | None:
    raw = _read_maybe_hash(reader)
    return None if raw is None else BlockId(raw)


def _maybe_u64(value: int | None, name: str) -> bytes:
    return b"\0" if value is None else b"\1" + _u64(value, name)


def _read_maybe_u64(reader: Reader) -> int | None:
    return reader.number(U64_BYTES) if _read_flag(reader) else None


def _read_flag(reader: Reader) -> bool:
    flag = reader.number(1)
    if flag > 1:
        raise MalformedError(f"{flag} where 0 or 1 is written")
    return bool(flag)


@contextmanager
def _reading(raw: bytes, what: str) -> Iterator[Reader]:
    """Reads all of one encoding of this version."""
    reader = Reader(raw, limit=len(raw))
    try:
        version = reader.take(len(VERSION))
        if version != VERSION:
            raise MalformedError(f"version {version[0]}")
        yield reader
        reader.end()
    except MalformedError as error:
        raise ChainStoreDamagedError(f"{what} is damaged: {error}") from error


def _sealed(body: bytes) -> bytes:
    return body + _seal(body)


def _unsealed(raw: bytes, what: str) -> bytes:
    body, seal = raw[:-SEAL_BYTES], raw[-SEAL_BYTES:]
    if seal != _seal(body):
        raise ChainStoreDamagedError(f"{what} is damaged: its bytes are not those written")
    return body


def _seal(body: bytes) -> bytes:
    return blake2b(body, digest_size=SEAL_BYTES).digest()
