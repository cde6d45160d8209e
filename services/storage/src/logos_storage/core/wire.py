"""The messages between nodes: manifests, and batches of blocks with proofs.

A frame of the block exchange is u32 length | u8 type | body; the length covers
type and body. All integers are little-endian. Every length is checked against a
limit before anything is read or kept because of it.

Spec: docs/protocol/storage.md, STO-20 to STO-28.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from logos_base.errors import LogosError
from logos_storage.core import manifest, merkle
from logos_storage.core.cid import (
    BLOCK,
    DIGEST_BYTES,
    MANIFEST,
    SHA2_256,
    TREE,
    Cid,
    parse_binary,
    prefix,
)
from logos_storage.core.errors import FrameMalformedError
from logos_storage.core.types import MAX_BLOCK_BYTES, MIN_BLOCK_BYTES

MANIFEST_PROTOCOL: Final = "/storage/manifest/1.0.0"
EXCHANGE_PROTOCOL: Final = "/storage/blockexc/1.0.0"

MAX_MANIFEST_CID_BYTES: Final = 512
MAX_CONTROL_BYTES: Final = 16 * 1024 * 1024
MAX_META_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH_BLOCKS: Final = MAX_BATCH_BYTES // MIN_BLOCK_BYTES
MAX_RANGES: Final = MAX_BATCH_BLOCKS // 2

_HEAD: Final = struct.Struct("<IB")
_LENGTH: Final = struct.Struct("<I")
_REQUEST_ID_CID: Final = struct.Struct("<QH")
_COUNT: Final = struct.Struct("<I")
_RANGE: Final = struct.Struct("<QQ")
_CID_LENGTH: Final = struct.Struct("<H")
_BLOCK_PREFIX: Final = prefix(BLOCK)
_BLOCK_CID_BYTES: Final = len(_BLOCK_PREFIX) + DIGEST_BYTES
_BLOCK: Final = struct.Struct(f"<QH{len(_BLOCK_PREFIX)}s{DIGEST_BYTES}sIH")
_NODE_LENGTH: Final = _CID_LENGTH.pack(merkle.NODE_BYTES)
_PROOF_HEAD: Final = "<QQQI"
_PATH_COUNT_OFFSET: Final = 24

TYPE_CONTROL: Final = 0
TYPE_REQUEST: Final = 1
TYPE_RESPONSE: Final = 2

MAX_PIECES: Final = 64
"""Pieces of a frame kept apart; a peer that sends byte by byte has them joined."""

MAX_REQUEST_BYTES: Final = 1 + 8 + 2 + 64 + 4 + MAX_RANGES * _RANGE.size


def response_limit(block_size_bytes: int, block_count: int) -> int:
    """Returns the most bytes a frame with so many blocks may have."""
    entry = _BLOCK.size + _proof_form(merkle.MAX_DEPTH).size
    return 1 + 4 + 8 + 2 + 64 + 4 + block_count * (entry + block_size_bytes)


@dataclass(frozen=True, slots=True)
class BlockRange:
    """A run of blocks: [start, start + count)."""

    start: int
    count: int

    @property
    def end(self) -> int:
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class WantBlocks:
    """Asks for blocks of a tree."""

    request_id: int
    tree_cid: Cid
    ranges: tuple[BlockRange, ...]

    @property
    def block_count(self) -> int:
        return sum(one.count for one in self.ranges)


@dataclass(frozen=True, slots=True)
class DeliveredBlock:
    """One block of an answer, not verified."""

    index: int
    digest: bytes
    """The hash that the sender claims."""
    data: memoryview
    proof: merkle.Proof


@dataclass(frozen=True, slots=True)
class Blocks:
    """An answer: some or all of the blocks asked for, not verified."""

    request_id: int
    tree_cid: Cid
    blocks: tuple[DeliveredBlock, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a request, not decoded and not verified: `batch.check_batch` does both."""

    request_id: int
    body: memoryview
    """Of the frame of type 2."""


class FrameReader:
    """Cuts a stream of bytes into frames.

    Control frames (type 0) are skipped without being kept, at most 16 MiB each.
    A frame of the one type expected is kept, up to the limit of the moment.
    """

    def __init__(self, kind: int, limit_bytes: int) -> None:
        self._kind = kind
        self._limit_bytes = limit_bytes
        self._head = bytearray()
        self._pieces: list[memoryview] = []
        self._missing = 0
        self._skipping = 0

    def feed(self, data: bytes | memoryview) -> Iterator[memoryview]:
        """Takes the next bytes, which must not change; yields the bodies of the frames they end.

        Raises:
            FrameMalformedError: The stream is of no use from here on.
        """
        view = memoryview(data)
        while view:
            if self._skipping:
                step = min(self._skipping, len(view))
                self._skipping -= step
                view = view[step:]
            elif self._missing:
                step = min(self._missing, len(view))
                self._pieces.append(view[:step])
                self._missing -= step
                view = view[step:]
                if not self._missing or len(self._pieces) == MAX_PIECES:
                    self._pieces = [memoryview(b"".join(self._pieces))]
                if not self._missing:
                    yield self._pieces.pop()
            else:
                step = min(_HEAD.size - len(self._head), len(view))
                self._head += view[:step]
                view = view[step:]
                if len(self._head) == _HEAD.size:
                    self._begin()

    def _begin(self) -> None:
        length, kind = _HEAD.unpack(self._head)
        self._head.clear()
        size = length - 1
        if size < 1:
            raise FrameMalformedError("frame is empty")
        if kind == TYPE_CONTROL:
            if size > MAX_CONTROL_BYTES:
                raise FrameMalformedError("control frame is too long")
            self._skipping = size
        elif kind == self._kind:
            if size > self._limit_bytes:
                raise FrameMalformedError("frame is longer than the request allows")
            self._missing = size
        else:
            raise FrameMalformedError(f"frame of type {kind} is not expected here")


def encode_request(request: WantBlocks) -> bytes:
    """Writes a whole frame of type 1."""
    cid = request.tree_cid.binary
    body = b"".join(
        (
            _REQUEST_ID_CID.pack(request.request_id, len(cid)),
            cid,
            _COUNT.pack(len(request.ranges)),
            *(_RANGE.pack(one.start, one.count) for one in request.ranges),
        )
    )
    return _HEAD.pack(1 + len(body), TYPE_REQUEST) + body


def decode_request(body: memoryview) -> WantBlocks:
    """Reads the body of a frame of type 1. Untrusted.

    Raises:
        FrameMalformedError: It breaks STO-23; nothing was allocated for it.
    """
    cursor = _Cursor(body)
    request_id, cid_bytes = cursor.unpack(_REQUEST_ID_CID)
    tree_cid = cursor.cid(cid_bytes, TREE)
    (range_count,) = cursor.unpack(_COUNT)
    if not 1 <= range_count <= MAX_RANGES:
        raise FrameMalformedError("request has no ranges or too many")
    ranges = tuple(BlockRange(*cursor.unpack(_RANGE)) for _ in range(range_count))
    cursor.end()
    if any(one.count < 1 or one.end >= 1 << 63 for one in ranges):
        raise FrameMalformedError("request has a range that is empty or overflows")
    request = WantBlocks(request_id, tree_cid, ranges)
    if request.block_count > MAX_BATCH_BLOCKS:
        raise FrameMalformedError("request is for too many blocks")
    return request


@dataclass(frozen=True, slots=True)
class ServedBlock:
    """One block to be sent."""

    index: int
    digest: bytes
    data: bytes | memoryview
    path: Sequence[bytes]


def encode_response(
    request_id: int, tree_cid: Cid, leaf_count: int, blocks: Sequence[ServedBlock]
) -> list[bytes | memoryview]:
    """Writes a whole frame of type 2, in pieces that are to be sent one after the other."""
    cid = tree_cid.binary
    meta = [_REQUEST_ID_CID.pack(request_id, len(cid)), cid, _COUNT.pack(len(blocks))]
    for block in blocks:
        proof = _encode_proof(block.index, leaf_count, block.path)
        meta += (
            _BLOCK.pack(
                block.index,
                _BLOCK_CID_BYTES,
                _BLOCK_PREFIX,
                block.digest,
                len(block.data),
                len(proof),
            ),
            proof,
        )
    joined = b"".join(meta)
    size = 1 + _LENGTH.size + len(joined) + sum(len(block.data) for block in blocks)
    head = _HEAD.pack(size, TYPE_RESPONSE) + _LENGTH.pack(len(joined))
    return [head + joined, *(block.data for block in blocks)]


@cache
def _proof_form(path_count: int) -> struct.Struct:
    return struct.Struct(_PROOF_HEAD + f"H{merkle.NODE_BYTES}s" * path_count)


def _encode_proof(index: int, leaf_count: int, path: Sequence[bytes]) -> bytes:
    head = struct.pack(_PROOF_HEAD, SHA2_256, index, leaf_count, len(path))
    return _NODE_LENGTH.join((head, *path))


def decode_response(body: memoryview) -> Blocks:
    """Reads the body of a frame of type 2. Untrusted; nothing in it is verified.

    Raises:
        FrameMalformedError: It breaks STO-24.
    """
    (meta_bytes,) = _Cursor(body).unpack(_LENGTH)
    if meta_bytes > MAX_META_BYTES or meta_bytes > len(body) - _LENGTH.size:
        raise FrameMalformedError("response has too much metadata")
    cursor = _Cursor(body[_LENGTH.size : _LENGTH.size + meta_bytes])
    data = body[_LENGTH.size + meta_bytes :]
    request_id, cid_bytes = cursor.unpack(_REQUEST_ID_CID)
    tree_cid = cursor.cid(cid_bytes, TREE)
    (count,) = cursor.unpack(_COUNT)
    if count > MAX_BATCH_BLOCKS:
        raise FrameMalformedError("response has too many blocks")
    blocks: list[DeliveredBlock] = []
    for _ in range(count):
        block = _decode_block(cursor, data)
        data = data[len(block.data) :]
        blocks.append(block)
    cursor.end()
    if len(data):
        raise FrameMalformedError("response has data that belongs to no block")
    return Blocks(request_id, tree_cid, tuple(blocks))


def response_request_id(body: memoryview) -> int:
    """Reads which request the body of a frame of type 2 answers. Untrusted."""
    request_id, _ = _Cursor(body[_LENGTH.size :]).unpack(_REQUEST_ID_CID)
    return request_id


def _decode_block(cursor: "_Cursor", data: memoryview) -> DeliveredBlock:
    raw = cursor.take(_BLOCK.size)
    index, cid_bytes, cid_prefix, digest, data_bytes, proof_bytes = _BLOCK.unpack(raw)
    if cid_bytes != _BLOCK_CID_BYTES or cid_prefix != _BLOCK_PREFIX:
        raise FrameMalformedError("response has a block whose cid is not that of a block")
    if data_bytes > MAX_BLOCK_BYTES or data_bytes > len(data):
        raise FrameMalformedError("response has a block that is too long")
    proof = decode_proof(cursor.take(proof_bytes))
    return DeliveredBlock(index, digest, data[:data_bytes], proof)


def decode_proof(raw: memoryview) -> merkle.Proof:
    """Reads a binary proof. Untrusted; whether it proves anything is not looked at.

    Raises:
        FrameMalformedError: It breaks STO-6.
    """
    if len(raw) < _PATH_COUNT_OFFSET + _COUNT.size:
        raise FrameMalformedError("proof is cut off")
    (path_count,) = _COUNT.unpack_from(raw, _PATH_COUNT_OFFSET)
    if path_count > merkle.MAX_DEPTH:
        raise FrameMalformedError("proof has too many nodes")
    form = _proof_form(path_count)
    if len(raw) != form.size:
        raise FrameMalformedError("proof is not as long as its nodes")
    hash_code, index, leaf_count, _, *path = form.unpack(raw)
    if hash_code != SHA2_256:
        raise FrameMalformedError("proof is of another hash")
    if path[::2] != [merkle.NODE_BYTES] * path_count:
        raise FrameMalformedError("proof has a node that is not of 32 bytes")
    return merkle.Proof(index, leaf_count, tuple(path[1::2]))


def encode_manifest_request(cid: Cid) -> bytes:
    """Writes a request of the manifest protocol (STO-21)."""
    raw = cid.binary
    return _CID_LENGTH.pack(len(raw)) + raw


def encode_manifest_response(found: bytes | None) -> bytes:
    """Writes an answer of the manifest protocol: the manifest, or that it is not here."""
    body = b"\1" if found is None else b"\0" + found
    return _LENGTH.pack(len(body)) + body


class MessageReader:
    """Reads one message of the manifest protocol, with its length in front, from a stream."""

    def __init__(self, length: struct.Struct, max_bytes: int) -> None:
        self._length = length
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> bytes | None:
        """Takes the next bytes; returns the message once it is whole. Later bytes are ignored.

        Raises:
            FrameMalformedError: Its length breaks STO-21.
        """
        self._buffer += data[: self._length.size + self._max_bytes]
        if len(self._buffer) < self._length.size:
            return None
        (size,) = self._length.unpack_from(self._buffer)
        if not 1 <= size <= self._max_bytes:
            raise FrameMalformedError("a message about a manifest has a wrong length")
        end = self._length.size + size
        return bytes(self._buffer[self._length.size : end]) if len(self._buffer) >= end else None


def manifest_request_reader() -> MessageReader:
    return MessageReader(_CID_LENGTH, MAX_MANIFEST_CID_BYTES)


def manifest_response_reader() -> MessageReader:
    return MessageReader(_LENGTH, 1 + manifest.MAX_BYTES)


def decode_manifest_request(raw: bytes) -> Cid:
    """Reads the CID of a manifest; FrameMalformedError."""
    return _Cursor(memoryview(raw)).cid(len(raw), MANIFEST)


def decode_manifest_response(raw: bytes) -> bytes | None:
    """Reads a manifest, not verified, or None if the peer has none; FrameMalformedError."""
    if raw[0] > 1:
        raise FrameMalformedError("manifest answer has an unknown status")
    return raw[1:] if raw[0] == 0 else None


class _Cursor:
    """Reads forward through bytes; what is missing is a FrameMalformedError."""

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw
        self._offset = 0

    def take(self, size: int) -> memoryview:
        end = self._offset + size
        if end > len(self._raw):
            raise FrameMalformedError("frame is cut off")
        view = self._raw[self._offset : end]
        self._offset = end
        return view

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self.take(form.size))

    def cid(self, size: int, codec: int) -> Cid:
        try:
            return parse_binary(bytes(self.take(size)), codec)
        except FrameMalformedError:
            raise
        except LogosError as error:
            raise FrameMalformedError(f"frame: {error}") from error

    def end(self) -> None:
        if self._offset != len(self._raw):
            raise FrameMalformedError("frame has bytes after its end")
