"""P5 and M9: packets look like chance, the same at every hop, and share nothing between hops.

Random bytes are drawn by a seed, so that nothing fails by chance. P6 is in the tests of messages.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_anonymity.measures import area
from logos_anonymity.octets import (
    ByteClassifier,
    compressed,
    shared_windows,
    uniformity,
    zero_run,
)
from logos_mixnet.core.sphinx.geometry import (
    ADDRESS_BYTES,
    ALPHA_BYTES,
    BETA_BYTES,
    HEADER_BYTES,
    HERE,
    PACKET_BYTES,
)
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.message import MixMessage, pad
from logos_mixnet.core.sphinx.packet import Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.primitives import public_key

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(0)]

PACKETS = 3_400
"""For each length of a path; each is seen at two hops: 20,400 in all."""
KEYS = [bytes([number]) * 32 for number in range(1, 6)]
HOPS = [Hop(public_key(key), bytes([number]) * ADDRESS_BYTES) for number, key in enumerate(KEYS, 1)]
FIELDS = {
    "alpha": slice(0, ALPHA_BYTES - 1),  # without the last byte: a point is less than 2^255 - 19
    "beta": slice(ALPHA_BYTES, ALPHA_BYTES + BETA_BYTES),
    "gamma": slice(ALPHA_BYTES + BETA_BYTES, HEADER_BYTES),
    "delta": slice(HEADER_BYTES, PACKET_BYTES),
}
SEEN = HEADER_BYTES + 64
"""The classifier reads the header and the beginning of the payload, which is one block anyway."""


@cache
def frames(length: int) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Packets of one message, over and over, as the first and as the second hop get them."""
    rng = Random(length)  # noqa: S311
    path = Path(HOPS[:length], [1_000] * (length - 1))
    message = MixMessage("/test/1.0.0", b"always the same").encode()
    first = [
        create_packet(path, HERE, pad(message, rng.randbytes), rng.randbytes)
        for _ in range(PACKETS)
    ]
    second = [_next(packet, KEYS[0]) for packet in first]
    return first, second


def _next(packet: bytes, key: bytes) -> bytes:
    content = unwrap(receive(packet, key))
    assert isinstance(content, Relay)
    return content.packet


def test_p5_no_classifier_tells_the_first_hop_from_the_second() -> None:
    learnt: tuple[list[bytes], list[bytes]] = [], []
    asked: tuple[list[bytes], list[bytes]] = [], []
    for length in (3, 4, 5):
        for hop, packets in enumerate(frames(length)):
            assert {len(packet) for packet in packets} == {PACKET_BYTES}
            half = len(packets) // 2
            learnt[hop].extend(packet[:SEEN] for packet in packets[:half])
            asked[hop].extend(packet[:SEEN] for packet in packets[half:])
    assert len(learnt[0]) + len(learnt[1]) + len(asked[0]) + len(asked[1]) >= 20_000

    found = ByteClassifier(*learnt).area(*asked)

    assert abs(found.value - 0.5) <= 0.02, found
    zeros = area([zero_run(raw) for raw in asked[0]], [zero_run(raw) for raw in asked[1]])
    assert abs(zeros.value - 0.5) <= 0.02, zeros


def test_p5_the_classifier_sees_one_byte_that_says_the_hop() -> None:
    """The control: as if a header told how many hops are left."""
    first, second = frames(3)
    tell = [
        [packet[:40] + bytes([hop]) + packet[41:60] for packet in packets[:600]]
        for hop, packets in ((3, first), (2, second))
    ]
    found = ByteClassifier(tell[0][:300], tell[1][:300]).area(tell[0][300:], tell[1][300:])
    assert found.value > 0.95


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("hop", [0, 1])
def test_m9_every_field_looks_like_chance(name: str, hop: int) -> None:
    parts = [packet[FIELDS[name]] for packet in frames(3)[hop][:1_500]]
    assert uniformity(parts) > 0.001
    assert compressed(parts[:500]) > 0.999
    assert len(set(parts)) == len(parts)


def test_m9_nothing_is_the_same_at_two_hops_of_a_packet() -> None:
    for length in (3, 5):
        for packet in frames(length)[0][:40]:
            ways = [packet]
            for key in KEYS[: length - 1]:
                ways.append(_next(ways[-1], key))
            for one, other in pairwise(ways):
                assert shared_windows(one, other) == frozenset()


def test_m9_a_field_that_is_repeated_is_found() -> None:
    """The control: a mark in a payload that a stream cipher would have let through."""
    first, second = frames(3)[0][0], frames(3)[1][0]
    marked = first[:4_000] + b"marked" + first[4_006:]
    assert shared_windows(marked, second[:3_000] + b"marked" + second[3_006:]) == {b"marked"}
    assert uniformity([b"\x00" * 16 + packet[:240] for packet in frames(3)[0][:500]]) < 1e-9
