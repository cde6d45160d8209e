"""Messages on a stream: each after its length as a varint (DIS-1)."""

from collections.abc import Iterable

from logos_crypto import varint
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.wire import MAX_MESSAGE_BYTES
from logos_mixnet.core.ports import Stream


class Messages:
    """The messages of one stream. Holds one message and what came with it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._read = bytearray()

    async def read(self) -> bytes | None:
        """Waits for a message; None if the peer has ended its direction.

        Raises:
            MessageMalformedError: It is over 4096 bytes, or cut off.
            StreamResetError: The peer or its connection went away.
        """
        while (message := self._take()) is None:
            pieces = await self._stream.read()
            if not pieces:
                if self._read:
                    raise MessageMalformedError("the stream ends within a message")
                return None
            self._add(pieces)
        return message

    async def write(self, message: bytes) -> None:
        """Sends a message, and returns when there is room for more."""
        await self._stream.write(varint.encode(len(message)) + message)

    def _add(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._read += piece

    def _take(self) -> bytes | None:
        size_bytes = next((at for at, byte in enumerate(self._read[:2]) if byte < 0x80), None)
        if size_bytes is None:
            if len(self._read) < 2:  # a length of up to 4096 has at most two bytes
                return None
            raise MessageMalformedError(f"a message of over {MAX_MESSAGE_BYTES} bytes")
        size, begin = varint.decode(bytes(self._read[:2]), minimal=False)
        if size > MAX_MESSAGE_BYTES:
            raise MessageMalformedError(f"a message of {size} bytes, over {MAX_MESSAGE_BYTES}")
        end = begin + size
        if len(self._read) < end:
            return None
        message = bytes(self._read[begin:end])
        del self._read[:end]
        return message
