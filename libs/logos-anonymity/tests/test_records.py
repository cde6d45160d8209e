"""What is read off captured frames: records, however the frames carry them."""

import struct
from ipaddress import IPv4Address

import pytest

from logos_anonymity.captures import CaptureError
from logos_anonymity.records import Record, read_records

DIALS, ANSWERS = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
GREETING = b"\x13/multistream/1.0.0\n\x07/noise\n"
SYN, ACK, DATA = 0x02, 0x10, 0x18
FIRST = 2**32 - 20
"""Sequence number of a SYN: the stream soon begins again at 0."""


def message(size_bytes: int) -> bytes:
    return struct.pack("!H", size_bytes) + bytes(size_bytes)


def segment(offset: int, data: bytes = b"", flags: int = DATA, *, back: bool = False) -> bytes:
    """A frame with a segment of the side that has dialled, or of the other."""
    ends = [(DIALS, 40_000), (ANSWERS, 18_000)]
    (source, port), (to, to_port) = reversed(ends) if back else ends
    number = (FIRST + (0 if flags & SYN else 1) + offset) % 2**32
    tcp = struct.pack("!HHIIBBHHH", port, to_port, number, 0, 5 << 4, flags, 0, 0, 0) + data
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    return bytes(12) + b"\x08\x00" + ip + source.packed + to.packed + tcp


def pcap(*frames: bytes) -> bytes:
    """A file in which a frame is seen each second."""
    written = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 2**18, 1)
    for second, frame in enumerate(frames, 1):
        written += struct.pack("=IIII", second, 0, len(frame), len(frame)) + frame
    return written


def there(*sizes: tuple[int, int]) -> list[Record]:
    return [Record(second * 10**9, DIALS, ANSWERS, size) for second, size in sizes]


HELLO = segment(0, flags=SYN)
STREAM = GREETING + message(32) + message(40) + message(100) + message(200)


def test_records_begin_after_the_handshake_of_each_side() -> None:
    answer = GREETING + message(96) + message(50)

    found = read_records(
        pcap(
            HELLO,
            segment(0, flags=SYN | ACK, back=True),
            segment(0, STREAM),
            segment(0, answer, back=True),
        )
    )

    assert found == [
        *there((3, 102), (3, 202)),
        Record(4 * 10**9, ANSWERS, DIALS, 52),
    ]


def test_a_record_is_seen_when_its_last_byte_is() -> None:
    cut = len(STREAM) - 201
    parts = [segment(at, STREAM[at : at + 50]) for at in range(0, cut, 50)]
    late = segment(len(parts) * 50, STREAM[len(parts) * 50 :])

    found = read_records(pcap(HELLO, *parts, late))

    assert found == there((len(parts) + 1, 102), (len(parts) + 2, 202))


def test_segments_that_come_again_overlap_or_change_places_change_nothing() -> None:
    found = read_records(
        pcap(
            HELLO,
            segment(300, STREAM[300:]),
            segment(0, STREAM[:100]),
            HELLO,
            segment(0, STREAM[:100]),
            segment(50, STREAM[50:310]),
            segment(50, STREAM[50:310]),
        )
    )

    assert found == there((6, 102), (6, 202))


def test_what_was_not_captured_to_its_end_is_left_out() -> None:
    whole = pcap(HELLO, segment(0, STREAM[:-1]))

    assert read_records(whole) == there((2, 102))
    assert read_records(whole[:-1]) == []
    assert read_records(pcap(HELLO, segment(0, GREETING[:10]))) == []
    assert read_records(pcap(HELLO)) == []


def test_a_port_is_used_again_by_a_later_connection() -> None:
    found = read_records(pcap(HELLO, segment(0, STREAM), segment(7, flags=SYN), segment(7, STREAM)))

    assert found == there((2, 102), (2, 202), (4, 102), (4, 202))


def test_padding_of_a_frame_and_what_is_no_tcp_do_not_count() -> None:
    datagram = bytearray(segment(0, STREAM))
    datagram[23] = 17
    request = bytes(12) + b"\x08\x06" + bytes(28)

    found = read_records(pcap(request, HELLO + bytes(6), bytes(datagram), segment(0, STREAM)))

    assert found == there((4, 102), (4, 202))


@pytest.mark.parametrize(
    ("capture", "problem"),
    [
        (b"", "no header"),
        (b"\0" * 24, "no pcap file of Ethernet"),
        (pcap(segment(0, STREAM)), "begins before the capture"),
        (pcap(HELLO, segment(0, STREAM[:50]), segment(51, STREAM[51:])), "bytes are missing"),
        (pcap(HELLO, segment(0, b"GET / HTTP/1.1")), "no connection of libp2p"),
        (pcap()[:24] + struct.pack("=IIII", 1, 0, 60, 1500) + bytes(60), "cut to 60"),
    ],
)
def test_a_capture_with_holes_is_refused(capture: bytes, problem: str) -> None:
    with pytest.raises(CaptureError, match=problem):
        read_records(capture)
