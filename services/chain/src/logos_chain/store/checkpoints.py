"""A chain at its newest final block as records of a checkpoint, and back.

What a node numbers for itself, as arrivals, is left out: so the records of two nodes at one block
are the same.

Spec: docs/protocol/chain-checkpoints.md, CKP-3, CKP-4, CKP-8.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.blocks import kept_block
from logos_chain.core.checkpoints.errors import CheckpointAlteredError
from logos_chain.core.checkpoints.format import Part, Record
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import ChainStoreDamagedError, Imported, KeptBlock, Settled
from logos_chain.store import rows, schema
from logos_chain.store.encoding import (
    decode_head,
    decode_snapshots,
    decode_tree_block,
    encode_tree_block,
)
from logos_chain.store.loading import (
    BLOCKS,
    ONE,
    Kept,
    check_sum,
    pages_of,
    put_together,
    read_ancestors,
    read_newest,
)
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.seals import check_seal, seal_of
from logos_mantle.blocks import Block
from logos_mantle.errors import MalformedError, ValueUnencodableError
from logos_module.database import table_of

CHECKPOINT: Final = table_of(schema.CheckpointRow)
_PARTS: Final[Mapping[str, Part]] = {kind.name: Part[kind.name.upper()] for kind in rows.KINDS}
_KINDS: Final = {_PARTS[kind.name]: kind for kind in rows.KINDS}
_KEY_SIZE_BYTES: Final = 2
_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
"""Where statements of one transaction would else see what was committed in between."""

Put = Callable[[Record], None]


async def dump(session: AsyncSession, begin: Callable[[TreeBlock], None], put: Put) -> None:
    """Gives the newest final block and all of its state; `CheckpointStore.dump`."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_ONE_MOMENT)
    newest = await read_newest(session)
    if newest is None:
        raise ValueError("nothing was begun")
    root = newest.root
    begin(root)
    raw = await session.scalar(select(BLOCKS.c.raw).where(BLOCKS.c.id == root.id))
    put(Record(Part.BLOCK, whole(raw)))
    for each in await read_ancestors(session):
        put(Record(Part.ANCESTOR, _shared(each)))
    put(Record(Part.ROOT, _shared(root)))
    put(Record(Part.HEAD, newest.head))
    put(Record(Part.SNAPSHOTS, newest.snapshots))
    total = 0
    for kind in rows.KINDS:
        async for page in pages_of(session, kind):
            total = rows.sum_of(kind, page, total)
            for row in page:
                put(Record(_PARTS[kind.name], _row_content(row)))
    check_sum(total, newest)


def gather(records: Iterable[Record]) -> tuple[KeptBlock, Settled]:
    """Puts records together again; `CheckpointStore.gathered`."""
    gathered = _Gathered()
    try:
        for each in records:
            gathered.take(each)
        return gathered.done()
    except (ChainStoreDamagedError, MalformedError, ValueUnencodableError) as error:
        raise CheckpointAlteredError(f"the checkpoint was altered: {error}") from error


class _Gathered:
    """Records that were read so far: the whole state, at the end."""

    def __init__(self) -> None:
        self._single: dict[Part, bytes] = {}
        self._below: list[TreeBlock] = []
        self._tables: dict[str, dict[Any, Any]] = {kind.name: {} for kind in rows.KINDS}
        self._last: tuple[Part, bytes] = (Part.BLOCK, b"")

    def take(self, record: Record) -> None:
        if record.part in _KINDS:
            self._take_row(record)
        elif record.part is Part.ANCESTOR:
            self._below.append(_read_shared(record.content))
        elif record.part in self._single:
            raise ChainStoreDamagedError(f"{record.part.name} comes twice")
        else:
            self._single[record.part] = record.content

    def done(self) -> tuple[KeptBlock, Settled]:
        missing = {Part.BLOCK, Part.ROOT, Part.HEAD, Part.SNAPSHOTS} - self._single.keys()
        if missing:
            raise ChainStoreDamagedError(f"{min(missing).name} is missing")
        root = _read_shared(self._single[Part.ROOT])
        snapshots = decode_snapshots(self._single[Part.SNAPSHOTS])
        head = decode_head(self._single[Part.HEAD], snapshots)
        settled = put_together(Kept(root, tuple(self._below), head, self._tables))
        raw = self._single[Part.BLOCK]
        return kept_block(Block.decode(raw), raw, root.height), settled

    def _take_row(self, record: Record) -> None:
        kind = _KINDS[record.part]
        row = _read_row(record.content)
        if (record.part, row[0]) <= self._last:
            raise ChainStoreDamagedError(f"rows of {kind.name} are out of order")
        self._last = (record.part, row[0])
        key, value = kind.entry(*row)
        table = self._tables[kind.name]
        if key in table or kind.row(key, value) != row:
            raise ChainStoreDamagedError(f"a row of {kind.name} has another form")
        table[key] = value


def checkpoint_row(imported: Imported) -> Mapping[str, Any]:
    """Returns the row of the checkpoint that a chain is begun with."""
    values = (imported.genesis, u64(imported.height), imported.hash)
    names = ("genesis", "height", "hash")
    seal = seal_of(CHECKPOINT.name, *values)
    return {"number": ONE, **dict(zip(names, values, strict=True)), "seal": seal}


async def read_checkpoint(session: AsyncSession) -> Imported | None:
    """Reads that row; None: there is none; raises `ChainStoreDamagedError`."""
    row = (await session.execute(select(CHECKPOINT))).one_or_none()
    if row is None:
        return None
    values = (whole(row.genesis), whole(row.height), whole(row.hash))
    check_seal(row.seal, CHECKPOINT.name, *values)
    return Imported(BlockId(values[0]), read_u64(values[1]), values[2])


def _shared(block: TreeBlock) -> bytes:
    """Encodes a block of the tree without what is this node's own."""
    return encode_tree_block(replace(block, arrival=0, skip=None))


def _read_shared(raw: bytes) -> TreeBlock:
    block = decode_tree_block(raw)
    if block.arrival or block.skip is not None:
        raise ChainStoreDamagedError("a block of the tree has numbers of another node")
    return block


def _row_content(row: rows.Row) -> bytes:
    key, value = row
    return len(key).to_bytes(_KEY_SIZE_BYTES, "little") + key + value


def _read_row(content: bytes) -> rows.Row:
    size = int.from_bytes(content[:_KEY_SIZE_BYTES], "little")
    key, value = content[_KEY_SIZE_BYTES:][:size], content[_KEY_SIZE_BYTES + size :]
    if len(key) < size:
        raise ChainStoreDamagedError("a row is too short")
    return key, value
