import hashlib
import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_storage.core import wire
from logos_storage.core.cid import BLOCK, MANIFEST, TREE, Cid
from logos_storage.core.errors import FrameMalformedError
from logos_storage.core.merkle import Proof
from logos_storage.core.wire import BlockRange, FrameReader, ServedBlock, WantBlocks

DIGEST = hashlib.sha256(b"tree").digest()
TREE_CID = Cid(TREE, DIGEST)

ranges = st.lists(
    st.builds(BlockRange, st.integers(0, 2**62), st.integers(1, 20)), min_size=1, max_size=20
).map(tuple)
requests = st.builds(WantBlocks, st.integers(0, 2**64 - 1), st.just(TREE_CID), ranges)


def body_of(frame: bytes, kind: int) -> memoryview:
    (body,) = FrameReader(kind, 1 << 24).feed(frame)
    return body


def manifest_request_in(pieces: Iterable[bytes | memoryview]) -> Cid | bytes:
    """What a provider reads; no bytes if it is not whole yet."""
    reader = wire.manifest_request_reader()
    whole = [raw for raw in map(reader.feed, pieces) if raw is not None]
    return wire.decode_manifest_request(whole[0]) if whole else b""


def manifest_response_in(pieces: Iterable[bytes | memoryview]) -> bytes | None:
    """What the asker reads; no bytes if it is not whole yet."""
    reader = wire.manifest_response_reader()
    whole = [raw for raw in map(reader.feed, pieces) if raw is not None]
    return wire.decode_manifest_response(whole[0]) if whole else b""


def served(index: int, data: bytes, depth: int = 2) -> ServedBlock:
    path = [hashlib.sha256(bytes((layer,))).digest() for layer in range(depth)]
    return ServedBlock(index, hashlib.sha256(data).digest(), data, path)


@pytest.mark.vectors
def test_a_request_looks_as_documented() -> None:
    frame = wire.encode_request(WantBlocks(7, TREE_CID, (BlockRange(2, 3), BlockRange(9, 1))))

    assert frame.hex() == (
        "55000000" + "01" + "0700000000000000" + "2600" + TREE_CID.binary.hex() + "02000000"
        "0200000000000000" + "0300000000000000" + "0900000000000000" + "0100000000000000"
    )


@pytest.mark.vectors
def test_a_response_looks_as_documented() -> None:
    block = served(5, b"data", depth=1)
    frame = b"".join(wire.encode_response(7, TREE_CID, 6, [block]))

    proof = bytes.fromhex("1200000000000000" + "0500000000000000" + "0600000000000000" + "01000000")
    proof += b"\x20\x00" + block.path[0]
    meta = bytes.fromhex("0700000000000000" + "2600") + TREE_CID.binary + bytes.fromhex("01000000")
    meta += bytes.fromhex("0500000000000000" + "2600") + Cid(BLOCK, block.digest).binary
    meta += bytes.fromhex("04000000" + "3e00") + proof
    body = struct.pack("<I", len(meta)) + meta + b"data"
    assert frame == struct.pack("<I", 1 + len(body)) + b"\x02" + body


@pytest.mark.property
@given(requests)
def test_reads_the_requests_that_it_writes(request: WantBlocks) -> None:
    assert wire.decode_request(body_of(wire.encode_request(request), 1)) == request


@pytest.mark.property
@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(0, 2**64 - 1))
def test_reads_the_responses_that_it_writes(contents: list[bytes], request_id: int) -> None:
    blocks = [served(index, data) for index, data in enumerate(contents)]
    frame = b"".join(wire.encode_response(request_id, TREE_CID, 9, blocks))
    body = body_of(frame, 2)

    answer = wire.decode_response(body)

    assert wire.response_request_id(body) == answer.request_id == request_id
    assert answer.tree_cid == TREE_CID
    assert [bytes(block.data) for block in answer.blocks] == contents
    for block, sent in zip(answer.blocks, blocks, strict=True):
        assert block.proof == Proof(sent.index, 9, tuple(sent.path))
        assert block.digest == sent.digest
    assert len(body) <= wire.response_limit(40, len(blocks))


def test_a_proof_has_28_bytes_and_34_for_each_node() -> None:
    def size(depth: int) -> int:
        (frame,) = wire.encode_response(1, TREE_CID, 2, [served(1, b"", depth)])[:1]
        return len(frame)

    without_nodes = len(b"".join(wire.encode_response(1, TREE_CID, 2, []))) + 8 + 2 + 38 + 4 + 2
    assert size(0) == without_nodes + 28
    assert size(18) == without_nodes + 640


@pytest.mark.property
@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_the_named_error(raw: bytes) -> None:
    view = memoryview(raw)
    for read in (
        wire.decode_request,
        wire.decode_response,
        wire.decode_proof,
        wire.response_request_id,
        lambda data: manifest_request_in((data,)),
        lambda data: manifest_response_in((data,)),
        lambda data: list(FrameReader(2, 100).feed(data)),
    ):
        try:
            read(view)
        except FrameMalformedError:
            continue


@pytest.mark.property
@given(st.data(), st.sampled_from([1, 2]))
def test_a_damaged_message_is_another_one_or_the_named_error(
    data: st.DataObject, kind: int
) -> None:
    if kind == 1:
        raw = bytearray(body_of(wire.encode_request(data.draw(requests)), 1))
    else:
        blocks = [served(index, b"some data") for index in range(3)]
        raw = bytearray(body_of(b"".join(wire.encode_response(1, TREE_CID, 9, blocks)), 2))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))

    try:
        (wire.decode_request if kind == 1 else wire.decode_response)(memoryview(raw)[:cut])
    except FrameMalformedError:
        return


def request_body(*spans: tuple[int, int]) -> memoryview:
    all_ranges = tuple(BlockRange(*span) for span in spans)
    return body_of(wire.encode_request(WantBlocks(1, TREE_CID, all_ranges)), 1)


@pytest.mark.parametrize(
    "body",
    [
        request_body(),
        request_body((0, 0)),
        request_body((0, wire.MAX_BATCH_BLOCKS + 1)),
        request_body((0, 2**63)),
        request_body((2**63, 1)),
        request_body((2**64 - 1, 2**64 - 1)),
        request_body(*[(0, 1)] * (wire.MAX_RANGES + 1)),
        memoryview(bytes(request_body((0, 1))) + b"\0"),
        memoryview(bytes(request_body((0, 1)))[:-1]),
    ],
    ids=["none", "empty", "many", "huge", "far", "overflow", "ranges", "trailing", "cut"],
)
def test_refuses_greedy_requests(body: memoryview) -> None:
    with pytest.raises(FrameMalformedError):
        wire.decode_request(body)


def test_serves_requests_of_upstreams_size() -> None:
    """128 KiB: two blocks of 64 KiB, or 32 of 4 KiB."""
    for count in (2, 32, wire.MAX_BATCH_BLOCKS):
        assert wire.decode_request(request_body((0, count))).block_count == count


def test_refuses_a_response_whose_lengths_do_not_add_up() -> None:
    whole = bytes(body_of(b"".join(wire.encode_response(1, TREE_CID, 9, [served(0, b"ab")])), 2))
    meta_bytes = struct.unpack_from("<I", whole)[0]

    for wrong in (
        whole + b"x",
        whole[:-1],
        struct.pack("<I", meta_bytes + 1) + whole[4:],
        struct.pack("<I", 2**32 - 1) + whole[4:],
    ):
        with pytest.raises(FrameMalformedError):
            wire.decode_response(memoryview(wrong))


@pytest.mark.property
@given(st.lists(requests, max_size=5), st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_frames_come_out_however_the_stream_is_cut(
    sent: list[WantBlocks], steps: list[int]
) -> None:
    control = struct.pack("<IB", 4, 0) + b"abc"
    stream = b"".join(control + wire.encode_request(request) for request in sent)
    reader = FrameReader(1, wire.MAX_REQUEST_BYTES)

    received = []
    for step in [*steps, *[50] * (len(stream) // 50 + 1)]:
        received += [wire.decode_request(body) for body in reader.feed(stream[:step])]
        stream = stream[step:]

    assert received == sent


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<IB", 0, 1),
        struct.pack("<IB", 1, 1),
        struct.pack("<IB", 102, 1),
        struct.pack("<IB", 2**32 - 1, 1),
        struct.pack("<IB", 50, 2),
        struct.pack("<IB", 50, 3),
        struct.pack("<IB", wire.MAX_CONTROL_BYTES + 2, 0),
    ],
)
def test_refuses_frames_by_their_head_alone(head: bytes) -> None:
    with pytest.raises(FrameMalformedError):
        list(FrameReader(1, 100).feed(head))


def test_control_frames_are_skipped_without_being_kept() -> None:
    reader = FrameReader(1, wire.MAX_REQUEST_BYTES)

    frames = list(reader.feed(struct.pack("<IB", 1 + (1 << 20), 0)))
    for _ in range(256):
        frames += reader.feed(bytes(4096))
    request = WantBlocks(1, TREE_CID, (BlockRange(0, 1),))
    (body,) = reader.feed(wire.encode_request(request))

    assert not frames
    assert wire.decode_request(body) == request


def test_the_manifest_protocol_looks_as_documented() -> None:
    cid = Cid(MANIFEST, DIGEST)

    assert wire.encode_manifest_request(cid) == b"\x26\x00" + cid.binary
    assert wire.encode_manifest_response(b"raw") == b"\x04\0\0\0\0raw"
    assert wire.encode_manifest_response(None) == b"\x01\0\0\0\x01"


@pytest.mark.property
@given(st.one_of(st.none(), st.binary(max_size=100)), st.integers(1, 20))
def test_manifests_come_out_however_the_stream_is_cut(raw: bytes | None, step: int) -> None:
    cid = Cid(MANIFEST, DIGEST)
    request, response = wire.encode_manifest_request(cid), wire.encode_manifest_response(raw)

    asked = [request[at : at + step] for at in range(0, len(request), step)]
    answered = [response[at : at + step] for at in range(0, len(response), step)]

    assert manifest_request_in(asked) == cid
    assert manifest_request_in(asked[:-1]) == b""
    assert manifest_response_in(answered) == raw
    assert manifest_response_in(answered[:-1]) == b""


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (manifest_request_in, b"\0\0"),
        (manifest_request_in, b"\x01\x02"),
        (manifest_request_in, b"\x26\x00" + Cid(TREE, DIGEST).binary),
        (manifest_response_in, b"\0\0\0\0"),
        (manifest_response_in, b"\x02\0\x01\0"),
        (manifest_response_in, b"\xff\xff\xff\xff"),
        (manifest_response_in, b"\x01\0\0\0\x02"),
    ],
)
def test_refuses_what_is_not_of_the_manifest_protocol(read: Any, raw: bytes) -> None:
    with pytest.raises(FrameMalformedError):
        read((raw,))
