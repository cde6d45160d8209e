"""Messages on streams: each with its length before it.

Spec: docs/protocol/delivery-light.md, DLC-1. Source: libp2p, varint length prefix.
"""

from typing import Final

from logos_crypto import varint
from logos_crypto.refusals import VarintError
from logos_delivery.core.light.errors import LightFrameError
from logos_delivery.core.message import MAX_MESSAGE_BYTES

LARGE_BYTES: Final = 10 * MAX_MESSAGE_BYTES + 64 * 1024
"""Of requests and pushes that may hold a message or many topics: 1,601,536."""
SMALL_BYTES: Final = 64 * 1024
"""Of responses."""
METADATA_BYTES: Final = 1024
_MAX_PREFIX_BYTES: Final = varint.MAX_BYTES


def frame(message: bytes) -> bytes:
    """Puts the length before a message."""
    return varint.encode(len(message)) + message


class FrameReader:
    """The messages of one direction of a stream, as its bytes come in.

    Holds at most one message that is not whole yet, and what was fed last.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._raw = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Takes bytes; returns the messages that are whole now.

        Raises:
            LightFrameError: One is longer than its protocol allows; nothing more can be read.
        """
        self._raw += data
        found: list[bytes] = []
        at = 0
        while (bounds := self._bounds(at)) is not None:
            start, end = bounds
            if end > len(self._raw):
                break
            found.append(bytes(self._raw[start:end]))
            at = end
        del self._raw[:at]
        return found

    def end(self) -> None:
        """The stream has ended; raises `LightFrameError` if that was within a message."""
        if self._raw:
            raise LightFrameError("a stream that ends within a message")

    def _bounds(self, at: int) -> tuple[int, int] | None:
        """Returns where the message at an offset begins and ends; None: not known yet."""
        prefix = bytes(self._raw[at : at + _MAX_PREFIX_BYTES])
        if len(prefix) < _MAX_PREFIX_BYTES and all(byte > 0x7F for byte in prefix):
            return None
        try:
            size, used = varint.decode(prefix, minimal=False)
        except VarintError as error:
            raise LightFrameError(str(error)) from error
        if size > self._max_bytes:
            raise LightFrameError(f"a message of {size} bytes, over {self._max_bytes}")
        return at + used, at + used + size
