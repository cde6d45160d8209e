"""What an observer reads off a link's frames without any key: the records of encrypted connections.

libp2p's Noise writes the length of each message in clear text before it (`libp2p/specs`, noise,
"Wire format"), and a host writes a message for each frame of its multiplexer. So whoever captures
a link sees how long each frame is, and when it was sent; not what it is, nor of which stream.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from logos_anonymity.captures import CaptureError

RECORD_OVERHEAD_BYTES: Final = 2 + 16
"""The length before a message, and the tag behind its text."""
MULTIPLEXER_BYTES: Final = 12
"""The header of a frame of yamux (`hashicorp/yamux`, spec.md)."""
_GREETING: Final = b"\x13/multistream/1.0.0\n\x07/noise\n"
"""What both sides say in clear text before the handshake."""
_HANDSHAKE: Final = {True: 2, False: 1}
"""Messages of Noise's pattern XX, by whether it is the side that has dialled."""

_PCAP: Final = struct.Struct("=IHHiIII")
_PCAP_FRAME: Final = struct.Struct("=IIII")
_PCAP_NANOSECONDS: Final = 0xA1B23C4D
_LINK_ETHERNET: Final = 1
_ETHERNET_BYTES: Final = 14
_IPV4, _TCP = b"\x08\x00", 6
_SYN, _ACK = 0x02, 0x10


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """A message of Noise after the handshake, as it is seen on a link."""

    time_ns: int
    """When its last byte was seen, by the clock of the capture."""
    source: IPv4Address
    destination: IPv4Address
    size_bytes: int
    """On the link, with its length and its tag."""


_End = tuple[IPv4Address, int]
"""Address and port."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment of TCP."""

    time_ns: int
    source: _End
    destination: _End
    number: int
    flags: int
    data: bytes


@dataclass
class _Direction:
    """One direction of one connection, from its first byte on."""

    source: IPv4Address
    destination: IPv4Address
    first: int
    """The sequence number of its SYN."""
    has_dialled: bool
    pieces: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Offset, time and bytes of what was seen; in any order, and perhaps more than once."""


def read_records(capture: bytes) -> list[Record]:
    """Reads the records of all connections of a pcap file, in the order of their times.

    A record whose end was not captured is left out. The file is of Ethernet, with times in
    nanoseconds, and in the byte order of this machine; what is no TCP over IPv4 is passed over.

    Raises:
        CaptureError: It is no such file, bytes of a connection are missing, or a connection begins
            before it or is not one of libp2p with Noise.
    """
    found: list[Record] = []
    for direction in _directions(_segments(_frames(capture))):
        found += _records(direction)
    return sorted(found)


def _frames(capture: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the frames of a file with their times. One that is cut off ends it."""
    if len(capture) < _PCAP.size:
        raise CaptureError("no pcap file: it has no header")
    magic, *_, link = _PCAP.unpack_from(capture)
    if (magic, link) != (_PCAP_NANOSECONDS, _LINK_ETHERNET):
        raise CaptureError("no pcap file of Ethernet with nanoseconds")
    at = _PCAP.size
    while at + _PCAP_FRAME.size <= len(capture):
        seconds, nanoseconds, kept, whole = _PCAP_FRAME.unpack_from(capture, at)
        at += _PCAP_FRAME.size
        if kept != whole:
            raise CaptureError(f"a frame of {whole} bytes was cut to {kept}")
        if at + kept > len(capture):
            return
        yield seconds * 10**9 + nanoseconds, capture[at : at + kept]
        at += kept


def _segments(frames: Iterable[tuple[int, bytes]]) -> Iterator[_Segment]:
    for time_ns, frame in frames:
        packet = frame[_ETHERNET_BYTES:]
        if frame[12:14] != _IPV4 or packet[9] != _TCP:
            continue
        (whole,) = struct.unpack_from("!H", packet, 2)
        source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        segment = packet[(packet[0] & 0x0F) * 4 : whole]  # what follows pads a short frame
        ports_from, ports_to, number = struct.unpack_from("!HHI", segment)
        data = segment[(segment[12] >> 4) * 4 :]
        ends = (source, ports_from), (destination, ports_to)
        yield _Segment(time_ns, *ends, number, segment[13], data)


def _directions(segments: Iterable[_Segment]) -> list[_Direction]:
    """Sorts segments by connection and direction. Ports may be used again by a later connection."""
    found: list[_Direction] = []
    current: dict[tuple[_End, _End], _Direction] = {}
    for one in segments:
        ends = one.source, one.destination
        direction = current.get(ends)
        if one.flags & _SYN:
            if direction is None or direction.first != one.number:
                dials = not one.flags & _ACK
                hosts = one.source[0], one.destination[0]
                current[ends] = direction = _Direction(*hosts, one.number, dials)
                found.append(direction)
        elif one.data:
            if direction is None:
                raise CaptureError(f"a connection of {one.source[0]} begins before the capture")
            offset = (one.number - direction.first - 1) % 2**32
            direction.pieces.append((offset, one.time_ns, one.data))
    return found


def _records(direction: _Direction) -> Iterator[Record]:
    hosts = direction.source, direction.destination
    stream, latest = bytearray(), 0
    ends: list[int] = []
    times: list[int] = []
    for offset, time_ns, data in sorted(direction.pieces):
        if offset > len(stream):
            raise CaptureError(f"bytes are missing from {hosts[0]} to {hosts[1]}")
        if offset + len(data) > len(stream):
            stream += data[len(stream) - offset :]
            latest = max(latest, time_ns)
            ends.append(len(stream))
            times.append(latest)
    if not stream.startswith(_GREETING):
        if _GREETING.startswith(stream):
            return  # it ended early
        raise CaptureError(f"from {hosts[0]} to {hosts[1]} is no connection of libp2p with Noise")
    at, number = len(_GREETING), 0
    while at + 2 <= len(stream):
        size = 2 + int.from_bytes(stream[at : at + 2], "big")
        at += size
        if at > len(stream):
            return
        number += 1
        if number > _HANDSHAKE[direction.has_dialled]:
            yield Record(times[bisect_left(ends, at)], *hosts, size)
