"""P5 and M9: packets look like chance, the same at every hop, and share nothing between hops.

Random bytes are drawn by a seed, so that nothing fails by chance. P6 is in the tests of messages;
the proof at a packet's end is in services/mixnet/tests/test_core_rln_octets.py.
"""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
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
from logos_mixnet.core.sphinx.message import DATA_BYTES, REPLY_CODEC, MixMessage, pad
from logos_mixnet.core.sphinx.packet import Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.primitives import RandomBytes, public_key
from logos_mixnet.core.sphinx.surb import create_surb

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


@cache
def ways(kind: str, length: int, number: int) -> Sequence[Sequence[bytes]]:
    """Packets of one content, over and over, each as it crosses every link of its path."""
    rng = Random(f"{kind} {length}")  # noqa: S311
    path = Path(HOPS[:length], [1_000] * (length - 1))
    make = {"message": _message, "zeros": _zeros, "answer": _answer}[kind]
    return [_crossing(make(path, rng.randbytes), length) for _ in range(number)]


def _message(path: Path, random_bytes: RandomBytes) -> bytes:
    message = MixMessage("/test/1.0.0", b"always the same").encode()
    return create_packet(path, HERE, pad(message, random_bytes), random_bytes)


def _zeros(path: Path, random_bytes: RandomBytes) -> bytes:
    """As full of one byte as a message can be, for an exit that hands it over."""
    message = MixMessage("", bytes(DATA_BYTES - 1)).encode()
    return create_packet(path, bytes(ADDRESS_BYTES), pad(message, random_bytes), random_bytes)


def _answer(path: Path, random_bytes: RandomBytes) -> bytes:
    surb, _ = create_surb(path, random_bytes)
    return surb.answer(pad(MixMessage(REPLY_CODEC, b"the same").encode(), random_bytes))


def _crossing(packet: bytes, length: int) -> list[bytes]:
    links = [packet]
    for key in KEYS[: length - 1]:
        links.append(_next(links[-1], key))
    return links


@pytest.mark.parametrize("kind", ["message", "zeros", "answer"])
@pytest.mark.parametrize("name", FIELDS)
def test_m9_every_field_looks_like_chance_on_every_link(name: str, kind: str) -> None:
    for length in (3, 5):
        for link in range(length):
            parts = [way[link][FIELDS[name]] for way in ways(kind, length, 600)]
            assert uniformity(parts) > 0.0001  # 96 fields, by chance the least is some 0.01
            assert compressed(parts) > 0.999
            assert len(set(parts)) == len(parts)


@pytest.mark.parametrize("kind", ["message", "zeros", "answer"])
def test_m9_nothing_is_the_same_on_two_links_of_a_packet(kind: str) -> None:
    for length in (3, 5):
        for way in ways(kind, length, 600)[:40]:
            for one, other in combinations(way, 2):
                assert shared_windows(one, other) == frozenset()


def test_m9_an_answer_shares_nothing_with_the_message_that_brought_its_reply_block() -> None:
    rng = Random(9)  # noqa: S311
    there, back = Path(HOPS[:3], [1_000] * 2), Path(HOPS[2:], [1_000] * 2)
    for _ in range(40):
        surb, _keys = create_surb(back, rng.randbytes)
        asked = MixMessage("/test/1.0.0", b"\x01" + surb.encode() + b"a question").encode()
        request = create_packet(there, HERE, pad(asked, rng.randbytes), rng.randbytes)
        answer = surb.answer(pad(MixMessage(REPLY_CODEC, b"yes").encode(), rng.randbytes))
        for link in _crossing(request, 3):
            assert shared_windows(link, answer) == frozenset()


def test_m9_a_field_that_is_repeated_is_found() -> None:
    """The control: a mark in a payload that a stream cipher would have let through."""
    first, second = frames(3)[0][0], frames(3)[1][0]
    marked = first[:4_000] + b"marked" + first[4_006:]
    assert shared_windows(marked, second[:3_000] + b"marked" + second[3_006:]) == {b"marked"}
    assert uniformity([b"\x00" * 16 + packet[:240] for packet in frames(3)[0][:500]]) < 1e-9
