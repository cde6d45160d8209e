"""Packets on a stream: each behind its length, an unsigned varint (MIX-23).

All packets of a network have one size. Whatever else a length says ends the stream: it is no mix
that sends it.
"""

from typing import Final

from logos_mixnet.core.mixing.errors import FrameLengthError

MIX_PROTOCOL: Final = "/mix/1.0.0"
_LOW: Final = 0x7F
_MORE: Final = 0x80


def varint(number: int) -> bytes:
    """Returns a number that is not negative as an unsigned LEB128 varint."""
    out = bytearray()
    while number > _LOW:
        out.append(number & _LOW | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


class Frames:
    """Cuts the bytes of one stream into packets of one size. Holds less than one of them."""

    def __init__(self, size: int) -> None:
        """`size`: of a packet with its proof, if it has one."""
        self._header = varint(size)
        self._size = size
        self._held = bytearray()

    @property
    def whole_bytes(self) -> int:
        """The size of a packet with its length before it: what crosses a link."""
        return len(self._header) + self._size

    def frame(self, packet: bytes) -> bytes:
        """Returns a packet as it is sent."""
        if len(packet) != self._size:
            raise ValueError(f"a packet of this network has {self._size} bytes")
        return self._header + packet

    def take(self, data: bytes) -> list[bytes]:
        """Takes what has come; returns the packets that are whole. Untrusted.

        Raises:
            FrameLengthError: A length is not that of a packet.
        """
        self._held += data
        start, step, end = len(self._header), len(self._header) + self._size, len(self._held)
        packets: list[bytes] = []
        at = 0
        while at < end:
            header = self._held[at : at + start]
            if not self._header.startswith(header):
                raise FrameLengthError(f"a packet of this network has {self._size} bytes")
            if end - at < step:
                break
            packets.append(bytes(self._held[at + start : at + step]))
            at += step
        del self._held[:at]
        return packets
