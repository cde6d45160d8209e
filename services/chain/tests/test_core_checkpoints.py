"""CKP-2 to CKP-5: the file of a checkpoint, whole, in pieces, and altered in any way."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest
from chain_checkpoints import SPECIFICATION, Made, made
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from logos_chain.core.checkpoints import format as file_format
from logos_chain.core.checkpoints.errors import (
    CheckpointAlteredError,
    CheckpointRefusedError,
    CheckpointTruncatedError,
)
from logos_chain.core.checkpoints.format import (
    CheckpointReader,
    CheckpointWriter,
    Part,
    Record,
    Summary,
)
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import CheckpointStore
from logos_chain.operations.importing import Importing
from logos_chain.store.checkpoints import gather
from logos_mantle.errors import ValueUnencodableError

SUMMARY = Summary(BlockId(b"g" * 32), b"s" * 32, BlockId(b"b" * 32), 7, (1 << 64) - 1)
RECORDS = [
    Record(Part.BLOCK, b"block"),
    Record(Part.ANCESTOR, b""),
    Record(Part.ANCESTOR, b"2" * 300),
    Record(Part.NOTES, b"note"),
]


def written(summary: Summary, records: Iterable[Record]) -> bytes:
    writer = CheckpointWriter()
    parts = [writer.begin(summary), *(writer.record(each) for each in records), writer.end()]
    raw = b"".join(parts)
    assert writer.size_bytes == len(raw)
    assert writer.hash == raw[-32:]
    return raw


def read(raw: bytes, size: int = 1 << 20) -> tuple[CheckpointReader, list[Record]]:
    reader, records = CheckpointReader(), list[Record]()
    for at in range(0, len(raw), size):
        records += reader.feed(raw[at : at + size])
    reader.end()
    return reader, records


@pytest.mark.parametrize("size", [1, 2, 31, 33, 121, 1000])
def test_what_was_written_is_read_in_pieces_of_any_size(size: int) -> None:
    raw = written(SUMMARY, RECORDS)

    reader, records = read(raw, size)

    assert reader.summary == SUMMARY
    assert records == RECORDS
    assert reader.hash == raw[-32:] == blake2b(raw[:-32], digest_size=32).digest()


def test_parts_come_in_their_order() -> None:
    with pytest.raises(CheckpointAlteredError):
        read(written(SUMMARY, RECORDS[::-1]))


def test_a_record_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = written(SUMMARY, RECORDS)
    monkeypatch.setattr(file_format, "MAX_RECORD_BYTES", 299)

    with pytest.raises(ValueUnencodableError):
        CheckpointWriter().record(RECORDS[2])
    with pytest.raises(CheckpointAlteredError):
        read(raw)


def test_a_summary_is_encoded_whole_or_not_at_all() -> None:
    for wrong in (replace(SUMMARY, height=-1), replace(SUMMARY, specification=b"")):
        with pytest.raises(ValueUnencodableError):
            wrong.encode()


@settings(max_examples=200, deadline=None)
@over(at=st.integers(0, len(written(SUMMARY, RECORDS)) - 1), bit=st.integers(0, 7))
def test_every_bit_counts(at: int, bit: int) -> None:
    raw = bytearray(written(SUMMARY, RECORDS))
    raw[at] ^= 1 << bit

    with pytest.raises(CheckpointRefusedError):
        read(bytes(raw))


@over(size=st.integers(8, len(written(SUMMARY, RECORDS)) - 1))
def test_every_byte_counts(size: int) -> None:
    with pytest.raises(CheckpointTruncatedError):
        read(written(SUMMARY, RECORDS)[:size])


@over(raw=st.binary(max_size=300))
def test_junk_is_refused(raw: bytes) -> None:
    for junk in (raw, file_format.MAGIC + raw, written(SUMMARY, [])[:-33] + raw):
        with pytest.raises(CheckpointRefusedError):
            read(junk)


# -- against a real checkpoint ---------------------------------------------------------------------


class Gathers:
    """No database: only what puts records together."""

    gathered = staticmethod(gather)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return asyncio.run(made(tmp_path_factory.mktemp("checkpoint"), 8))


def imported(checkpoint: Made, raw: bytes) -> Any:
    store: CheckpointStore = Gathers()  # type: ignore[assignment]
    path = checkpoint.path.with_name("altered")
    path.write_bytes(raw)
    return Importing(store, checkpoint.world.network, SPECIFICATION, path=path)._read()


def test_the_checkpoint_itself_is_taken(checkpoint: Made) -> None:
    block, settled, found = imported(checkpoint, checkpoint.path.read_bytes())

    assert block.id == settled.root.id == checkpoint.exported.summary.block
    assert found.hash == checkpoint.exported.hash


@settings(max_examples=300, deadline=None)
@over(data=st.data())
def test_altered_bytes_are_refused(checkpoint: Made, data: st.DataObject) -> None:
    """CKP-5: with a reason, whatever was altered."""
    raw = bytearray(checkpoint.path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    length = data.draw(st.integers(0, 40))
    put = data.draw(st.binary(max_size=40))
    before = bytes(raw)
    raw[at : at + length] = put

    if bytes(raw) != before:
        with pytest.raises(CheckpointRefusedError):
            imported(checkpoint, bytes(raw))


@settings(max_examples=300, deadline=None)
@over(data=st.data())
def test_forged_contents_are_refused_or_fit(checkpoint: Made, data: st.DataObject) -> None:
    """CKP-4: with a hash that holds, too, nothing else is raised. Slots of notes are left as they
    are: a tree has room for all that come before."""
    _, records = read(checkpoint.path.read_bytes())
    place = data.draw(st.integers(0, len(records) - 1))
    record = records[place]
    first = 6 if record.part is Part.NOTES else 0
    content = bytearray(record.content)
    at = data.draw(st.integers(first, len(content)))
    content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    records[place] = Record(record.part, bytes(content))

    with suppress(CheckpointRefusedError):
        imported(checkpoint, written(checkpoint.exported.summary, records))


@settings(max_examples=60, deadline=None)
@over(data=st.data())
def test_records_that_are_missing_or_doubled_are_refused(
    checkpoint: Made, data: st.DataObject
) -> None:
    _, records = read(checkpoint.path.read_bytes())
    at = data.draw(st.integers(0, len(records) - 1))
    copies = data.draw(st.sampled_from([0, 2]))
    part = records[at].part
    records[at : at + 1] = [records[at]] * copies

    # Rows of some tables, and the oldest ancestors, are in no root that the rest would miss.
    if copies == 2 or part in {Part.BLOCK, Part.ROOT, Part.HEAD, Part.SNAPSHOTS, Part.NOTES}:
        with pytest.raises(CheckpointRefusedError):
            imported(checkpoint, written(checkpoint.exported.summary, records))


def test_a_summary_of_another_block_is_refused(checkpoint: Made) -> None:
    _, records = read(checkpoint.path.read_bytes())
    summary = checkpoint.exported.summary
    for wrong in (
        replace(summary, height=summary.height + 1),
        replace(summary, slot=0),
        replace(summary, block=BlockId(bytes(32))),
    ):
        with pytest.raises(CheckpointAlteredError):
            imported(checkpoint, written(wrong, records))
