"""The messages of the synchronisation, under `/logos-blockchain/cryptarchia/sync/1.0.0`.

Each message follows its length, 4 bytes. Integers are little-endian; kinds have 4 bytes, counts and
lengths 8 (bincode with integers of fixed size). A block is carried as its bytes, which are not
looked into here.

Spec: docs/protocol/chain-consensus.md, CON-40, CON-41. Source: LIP-96, downloading blocks; LIP-203;
form of the tip and of failures: the reference's `GetTipResponse` and `DownloadBlocksResponse`.
"""

from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.errors import SyncMalformedError, SyncTooLargeError
from logos_chain.core.consensus.types import ID_BYTES, BlockId

PROTOCOL: Final = "/logos-blockchain/cryptarchia/sync/1.0.0"
TESTNET_PROTOCOL: Final = "/logos-blockchain-testnet/cryptarchia/sync/1.0.0"

LENGTH_BYTES: Final = 4
MAX_ADDITIONAL: Final = 5
MAX_REQUEST_BYTES: Final = 4 + 3 * ID_BYTES + 8 + MAX_ADDITIONAL * ID_BYTES
MAX_BLOCK_BYTES: Final = 2 * 1024 * 1024 + 64 * 1024
"""A body of the largest size, with the header and its uncles."""
MAX_RESPONSE_BYTES: Final = 4 + 8 + MAX_BLOCK_BYTES
MAX_TEXT_BYTES: Final = 256

_FIRST: Final = (0).to_bytes(4, "little")
_SECOND: Final = (1).to_bytes(4, "little")
_THIRD: Final = (2).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """Asks for the blocks up to a target, after the newest that both sides know."""

    target: BlockId
    local_tip: BlockId
    latest_immutable: BlockId
    additional: tuple[BlockId, ...] = ()
    """At most 5."""


@dataclass(frozen=True, slots=True)
class TipRequest:
    """Asks for the tip."""


Request = DownloadRequest | TipRequest


@dataclass(frozen=True, slots=True)
class BlockResponse:
    """One block of an answer; more may follow."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class EndResponse:
    """The answer has no more blocks."""


@dataclass(frozen=True, slots=True)
class TipResponse:
    """The tip of a peer's chain. Untrusted."""

    tip: BlockId
    slot: int
    height: int


@dataclass(frozen=True, slots=True)
class FailureResponse:
    """A peer does not answer the request."""

    text: str


def frame(message: bytes) -> bytes:
    """Puts the length before a message."""
    return len(message).to_bytes(LENGTH_BYTES, "little") + message


def frame_length(prefix: bytes, limit: int) -> int:
    """Reads the length of the message that follows.

    Raises:
        SyncMalformedError: It is not 4 bytes.
        SyncTooLargeError: The message would be over the limit.
    """
    if len(prefix) != LENGTH_BYTES:
        raise SyncMalformedError("a length that is cut off")
    length = int.from_bytes(prefix, "little")
    if length > limit:
        raise SyncTooLargeError(f"a message of {length} bytes, over {limit}")
    return length


def encode_request(request: Request) -> bytes:
    """Encodes a request; `ValueError` for more than 5 additional blocks."""
    if isinstance(request, TipRequest):
        return _SECOND
    if len(request.additional) > MAX_ADDITIONAL:
        raise ValueError(f"over {MAX_ADDITIONAL} additional blocks")
    known = request.target + request.local_tip + request.latest_immutable
    return _FIRST + known + _number(len(request.additional)) + b"".join(request.additional)


def decode_request(raw: bytes) -> Request:
    """Reads a request.

    Raises:
        SyncTooLargeError: It is over the bound, or names over 5 additional blocks.
        SyncMalformedError: It is none.
    """
    if len(raw) > MAX_REQUEST_BYTES:
        raise SyncTooLargeError(f"a request of {len(raw)} bytes")
    reader = _Reader(raw)
    kind = reader.take(4)
    if kind == _SECOND:
        reader.end()
        return TipRequest()
    if kind != _FIRST:
        raise SyncMalformedError("a request of an unknown kind")
    target, local_tip, latest = reader.id(), reader.id(), reader.id()
    count = reader.number()
    if count > MAX_ADDITIONAL:
        raise SyncTooLargeError(f"{count} additional blocks")
    additional = tuple(reader.id() for _ in range(count))
    reader.end()
    return DownloadRequest(target, local_tip, latest, additional)


def encode_download(response: BlockResponse | EndResponse | FailureResponse) -> bytes:
    """Encodes one message of the answer to a download; `ValueError` for a block over its bound."""
    match response:
        case BlockResponse(raw):
            if len(raw) > MAX_BLOCK_BYTES:
                raise ValueError(f"a block of over {MAX_BLOCK_BYTES} bytes")
            return _FIRST + _number(len(raw)) + raw
        case EndResponse():
            return _SECOND
        case FailureResponse(text):
            return _THIRD + _text(text)


def decode_download(raw: bytes) -> BlockResponse | EndResponse | FailureResponse:
    """Reads one message of the answer to a download.

    Raises:
        SyncTooLargeError: It is over the bound.
        SyncMalformedError: It is none.
    """
    if len(raw) > MAX_RESPONSE_BYTES:
        raise SyncTooLargeError(f"a response of {len(raw)} bytes")
    reader = _Reader(raw)
    kind = reader.take(4)
    response: BlockResponse | EndResponse | FailureResponse
    if kind == _FIRST:
        response = BlockResponse(reader.take(reader.number()))
    elif kind == _SECOND:
        response = EndResponse()
    elif kind == _THIRD:
        response = FailureResponse(reader.text())
    else:
        raise SyncMalformedError("a response of an unknown kind")
    reader.end()
    return response


def encode_tip(response: TipResponse | FailureResponse) -> bytes:
    """Encodes the answer to a request for the tip."""
    if isinstance(response, FailureResponse):
        return _SECOND + _text(response.text)
    return _FIRST + response.tip + _number(response.slot) + _number(response.height)


def decode_tip(raw: bytes) -> TipResponse | FailureResponse:
    """Reads the answer to a request for the tip; errors as `decode_download`."""
    if len(raw) > 4 + 8 + MAX_TEXT_BYTES:
        raise SyncTooLargeError(f"a response of {len(raw)} bytes")
    reader = _Reader(raw)
    kind = reader.take(4)
    response: TipResponse | FailureResponse
    if kind == _FIRST:
        response = TipResponse(reader.id(), reader.number(), reader.number())
    elif kind == _SECOND:
        response = FailureResponse(reader.text())
    else:
        raise SyncMalformedError("a tip of an unknown kind")
    reader.end()
    return response


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _text(text: str) -> bytes:
    raw = text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore").encode()
    return _number(len(raw)) + raw


class _Reader:
    """Reads one message from its beginning to its end."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, size: int) -> bytes:
        if size > len(self._raw) - self._at:
            raise SyncMalformedError("a message that is cut off")
        self._at += size
        return self._raw[self._at - size : self._at]

    def number(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def id(self) -> BlockId:
        return BlockId(self.take(ID_BYTES))

    def text(self) -> str:
        size = self.number()
        if size > MAX_TEXT_BYTES:
            raise SyncTooLargeError(f"a text of {size} bytes")
        return self.take(size).decode(errors="replace")

    def end(self) -> None:
        if self._at != len(self._raw):
            raise SyncMalformedError("bytes after the end of a message")
