"""CHS-7, CHS-8: encodings are total, canonical, and notice damage."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chain_ledger import LOCATOR, named
from hypothesis import assume, given
from hypothesis import strategies as st

from logos_chain.core.consensus.epochs import BlockState, EpochState
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.ledger.types import (
    Channel,
    Declaration,
    Head,
    Provider,
    Snapshots,
    UnspentNote,
)
from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.store import encoding, rows
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.notes import Note
from logos_mantle.prices import ExecutionMarket, StorageMarket
from logos_mantle.services import SdpDeclare, Service

MAX_U64 = (1 << 64) - 1
EDGES = (0, 1, 255, (1 << 63) - 1, 1 << 63, MAX_U64)

u64s = st.sampled_from(EDGES) | st.integers(0, MAX_U64)
hashes = st.binary(min_size=32, max_size=32)
fields = st.binary(min_size=31, max_size=31).map(lambda raw: raw + b"\0")
texts = st.binary(max_size=40)
notes = st.builds(
    UnspentNote,
    st.builds(Note, u64s, fields),
    st.integers(0, (1 << 32) - 1),
    st.none() | hashes,
    st.none() | hashes,
)
channels = st.builds(
    Channel,
    keys=st.lists(hashes, max_size=4).map(tuple),
    configuration_threshold=st.integers(0, 65_535),
    transfer_threshold=st.integers(0, 65_535),
    posting_timeframe_slots=st.integers(0, (1 << 32) - 1),
    posting_timeout_slots=st.integers(0, (1 << 32) - 1),
    tip=hashes,
    tip_slot=u64s,
    sequencer=u64s,
    sequencer_since_slot=u64s,
)
declarations = st.builds(
    Declaration,
    st.builds(
        SdpDeclare,
        st.just(Service.BLEND_NETWORK),
        st.integers(0, 8).map(lambda count: (LOCATOR,) * count),
        hashes,
        fields,
        fields,
    ),
    created_epoch=u64s,
    active_epoch=st.none() | u64s,
    withdrawn_epoch=st.none() | u64s,
    nonce=u64s,
)
providers = st.builds(Provider, hashes, hashes, hashes, st.lists(texts, max_size=8).map(tuple))
snapshot_lists = st.lists(providers, max_size=3).map(tuple)
snapshots = st.builds(Snapshots, snapshot_lists, snapshot_lists, snapshot_lists)
heads = st.builds(
    Head,
    slot=u64s,
    epoch=u64s,
    root=hashes,
    aged_root=hashes,
    epoch_root=hashes,
    execution=st.builds(ExecutionMarket, u64s, u64s),
    storage=st.builds(StorageMarket, u64s, u64s),
    stored_bytes=u64s,
    fees=st.lists(u64s, max_size=120).map(tuple),
    genesis=u64s,
    emitted=u64s,
    burned=u64s,
    pool=u64s,
    leaders=u64s,
    services=u64s,
    services_due=u64s,
    vouchers=u64s,
    voucher_root=hashes,
    voucher_frontier=texts,
    snapshots=snapshots,
)
tree_blocks = st.builds(
    TreeBlock,
    id=hashes,
    parent=hashes,
    height=u64s,
    state=st.builds(
        BlockState,
        slot=u64s,
        nonce=hashes,
        ledger_root=hashes,
        epoch=st.builds(EpochState, u64s, hashes, hashes, u64s),
        next_root=hashes,
        next_nonce=hashes,
        occupied=u64s,
        recent=st.lists(u64s, max_size=5).map(tuple),
    ),
    leader_key=st.just(b"") | hashes,
    arrival=u64s,
    skip=st.none() | hashes,
)

NO_SNAPSHOTS = Snapshots((), (), ())


def decode_note(raw: bytes) -> UnspentNote:
    return encoding.decode_note(raw, 7)


def decode_head(raw: bytes) -> Head:
    return encoding.decode_head(raw, NO_SNAPSHOTS)


Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]
CODECS: dict[str, tuple[st.SearchStrategy[Any], Codec]] = {
    "note": (
        notes.map(lambda one: replace(one, slot=7)),
        (encoding.encode_note, decode_note),
    ),
    "channel": (channels, (encoding.encode_channel, encoding.decode_channel)),
    "declaration": (declarations, (encoding.encode_declaration, encoding.decode_declaration)),
    "head": (
        heads.map(lambda one: replace(one, snapshots=NO_SNAPSHOTS)),
        (encoding.encode_head, decode_head),
    ),
    "snapshots": (snapshots, (encoding.encode_snapshots, encoding.decode_snapshots)),
    "tree block": (tree_blocks, (encoding.encode_tree_block, encoding.decode_tree_block)),
}
SEALED = ("head", "snapshots", "tree block")

each_codec = pytest.mark.parametrize("name", CODECS)


@each_codec
@given(data=st.data())
def test_what_is_encoded_comes_back(name: str, data: st.DataObject) -> None:
    values, (encode, decode) = CODECS[name]
    value = data.draw(values)

    assert decode(encode(value)) == value


@each_codec
@given(data=st.data())
def test_different_values_have_different_encodings(name: str, data: st.DataObject) -> None:
    values, (encode, _) = CODECS[name]
    one, other = data.draw(values), data.draw(values)

    assert (encode(one) == encode(other)) == (one == other)


@each_codec
@given(data=st.data())
def test_damage_is_one_error_or_another_value(name: str, data: st.DataObject) -> None:
    """Bytes that decode are those of the value: there is one form."""
    values, (encode, decode) = CODECS[name]
    raw = encode(data.draw(values))
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = data.draw(
        st.sampled_from(
            (
                raw[:at],
                raw + b"\0",
                raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :],
                raw[:at] + raw[at + 1 :],
            )
        )
    )
    assume(damaged != raw)
    try:
        found = decode(damaged)
    except ChainStoreDamagedError:
        return

    assert name not in SEALED
    assert encode(found) == damaged


@each_codec
@given(raw=st.binary(max_size=300))
def test_any_bytes_are_one_error_or_a_value(name: str, raw: bytes) -> None:
    _, (encode, decode) = CODECS[name]
    for tried in (raw, encoding.VERSION + raw, encoding._sealed(encoding.VERSION + raw)):
        try:
            assert encode(decode(tried)) == tried
        except ChainStoreDamagedError:
            continue


@each_codec
@given(data=st.data())
def test_another_version_is_named(name: str, data: st.DataObject) -> None:
    values, (encode, decode) = CODECS[name]
    raw = b"\x02" + encode(data.draw(values))[1:]
    if name in SEALED:
        raw = encoding._sealed(raw[: -encoding.SEAL_BYTES])

    with pytest.raises(ChainStoreDamagedError, match="version 2"):
        decode(raw)


def test_a_flag_is_0_or_1() -> None:
    raw = encoding.encode_note(UnspentNote(Note(5, named("key")), 7, named("channel")))
    damaged = raw[:41] + b"\x02" + raw[42:]

    with pytest.raises(ChainStoreDamagedError, match="0 or 1"):
        encoding.decode_note(damaged, 7)


def test_encodings_do_not_change() -> None:
    """What lies on disks has these bytes: a change of one needs a new version."""
    note = UnspentNote(Note(5, named("key")), 7, named("channel"))

    assert encoding.encode_note(note) == (
        b"\x01" + (5).to_bytes(8, "little") + named("key") + b"\x01" + named("channel") + b"\0"
    )
    channel = Channel((named("key"),), 1, 2, 3, 4, named("tip"), 5, 6, 7)
    assert encoding.encode_channel(channel).hex() == (
        f"010100{named('key').hex()}010002000300000004000000{named('tip').hex()}"
        "050000000000000006000000000000000700000000000000"
    )


@pytest.mark.parametrize("number", EDGES)
def test_numbers_of_columns_come_back(number: int) -> None:
    """CHS-6."""
    assert rows.read_u64(rows.u64(number)) == number


@given(u64s, u64s)
def test_numbers_of_columns_are_in_their_order(one: int, other: int) -> None:
    assert (rows.u64(one) < rows.u64(other)) == (one < other)


@pytest.mark.parametrize("number", [-1, MAX_U64 + 1])
def test_what_has_no_64_bits_is_refused(number: int) -> None:
    with pytest.raises(ValueUnencodableError):
        rows.u64(number)


@pytest.mark.parametrize("slot", [-1, 1 << 32])
def test_a_note_has_a_slot_of_the_tree(slot: int) -> None:
    with pytest.raises(ValueUnencodableError):
        rows.NOTES.row(named("note"), UnspentNote(Note(1, named("key")), slot))


@pytest.mark.parametrize("kind", rows.KINDS, ids=lambda kind: kind.name)
@given(key=st.binary(max_size=40), value=st.binary(max_size=80))
def test_any_row_is_one_error_or_an_entry(
    kind: rows.Kind[Any, Any], key: bytes, value: bytes
) -> None:
    try:
        found = kind.entry(key, value)
    except ChainStoreDamagedError:
        return

    assert kind.row(*found) == (key, value)
