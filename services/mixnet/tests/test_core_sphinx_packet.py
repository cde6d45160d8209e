"""Packets on their way (MIX-1, MIX-3 to MIX-8)."""

import hashlib

import mix_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_paths import MEANS_MS, counting, hops_of, path_of, private_keys, walk
from mix_variants import VARIANTS

from logos_crypto.sphinx import header_mac, header_stream
from logos_mixnet.core.sphinx.errors import (
    HeaderForgedError,
    MixRefusedError,
    PacketPointError,
    PacketSizeError,
    PathError,
    PayloadDamagedError,
    RoutingBlockError,
)
from logos_mixnet.core.sphinx.geometry import (
    ADDRESS_BYTES,
    ALPHA_BYTES,
    BETA_BYTES,
    HEADER_BYTES,
    HERE,
    HOP_BYTES,
    KAPPA,
    MESSAGE_BYTES,
    PACKET_BYTES,
    PAYLOAD_BYTES,
    SURB_BYTES,
)
from logos_mixnet.core.sphinx.header import NO_SURB, Hop, Path, create_header
from logos_mixnet.core.sphinx.packet import Exit, Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.payload import LIP_183, PayloadCipher
from logos_mixnet.core.sphinx.primitives import public_key

PRIME = 2**255 - 19
DESTINATION = b"\xdd" * ADDRESS_BYTES
MESSAGE = bytes(i % 251 for i in range(MESSAGE_BYTES))
KEYS = private_keys(3)
PACKET = create_packet(path_of(KEYS), DESTINATION, MESSAGE, counting(0))
LOW_ORDER = [  # every canonical point whose product with a multiple of 8 is zero
    0,
    1,
    PRIME - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]


def flipped(packet: bytes, bit: int) -> bytes:
    changed = bytearray(packet)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def with_alpha(number: int) -> bytes:
    return number.to_bytes(ALPHA_BYTES, "little") + PACKET[ALPHA_BYTES:]


def for_last_hop(routing: bytes, key: bytes = KEYS[0]) -> bytes:
    """A packet whose header is genuine and whose first hop decrypts this."""
    alpha = PACKET[:ALPHA_BYTES]
    secret = receive(PACKET, key).secret
    beta = header_stream(secret, routing.ljust(BETA_BYTES, b"\x55"))
    payload = LIP_183.encrypt(secret, bytes(PAYLOAD_BYTES))
    return alpha + beta + header_mac(secret, beta) + payload


def test_sizes() -> None:
    assert (HEADER_BYTES, PAYLOAD_BYTES, MESSAGE_BYTES, SURB_BYTES) == (624, 3984, 3968, 734)


@pytest.mark.parametrize("hops", [3, 4, 5])
@pytest.mark.parametrize("cipher", VARIANTS.values(), ids=VARIANTS)
def test_a_packet_reaches_its_exit(hops: int, cipher: PayloadCipher) -> None:
    keys = private_keys(hops)
    packet = create_packet(path_of(keys), DESTINATION, MESSAGE, counting(1), cipher)

    *relays, last = walk(packet, keys, cipher)

    assert last == Exit(DESTINATION, MESSAGE)
    for index, step in enumerate(relays):
        assert isinstance(step, Relay)
        assert step.next_hop == path_of(keys).hops[index + 1].address
        assert step.mean_delay_ms == MEANS_MS[index]
        assert len(step.packet) == PACKET_BYTES
        assert bytes(KAPPA) not in step.packet


@settings(max_examples=15, deadline=None)
@given(
    hops=st.integers(3, 5),
    seed=st.integers(0, 2**32),
    means=st.lists(st.integers(1, 65535), min_size=4, max_size=4),
    destination=st.sampled_from([HERE, DESTINATION]),
)
def test_a_second_decoder_unwraps_what_is_made(
    hops: int, seed: int, means: list[int], destination: bytes
) -> None:
    keys = private_keys(hops)
    path = Path(path_of(keys).hops, means[: hops - 1])
    packet: bytes | None = create_packet(path, destination, MESSAGE, counting(seed))

    for index, key in enumerate(keys):
        assert packet is not None
        ours = unwrap(receive(packet, key))
        theirs = oracle.peel(packet, key)
        packet = theirs.packet
        if isinstance(ours, Relay):
            assert (ours.next_hop, ours.mean_delay_ms) == (theirs.address, theirs.delay)
            assert (ours.mean_delay_ms, ours.packet) == (means[index], packet)
    assert ours == Exit(destination, MESSAGE)
    assert theirs.address == destination
    assert theirs.payload == bytes(KAPPA) + MESSAGE


def test_any_flipped_bit_of_a_header_is_refused() -> None:
    """mixnet.md 11, P3: all 4,992 of them."""
    for bit in range(8 * HEADER_BYTES):
        with pytest.raises((HeaderForgedError, PacketPointError)):
            receive(flipped(PACKET, bit), KEYS[0])


@settings(max_examples=100, deadline=None)
@given(bit=st.integers(8 * HEADER_BYTES, 8 * PACKET_BYTES - 1), at=st.integers(0, 2))
def test_any_flipped_bit_of_a_payload_is_found_at_the_exit(bit: int, at: int) -> None:
    """mixnet.md 11, P3: relays pass it on, wherever it was flipped."""
    packet = PACKET
    for index, key in enumerate(KEYS[:-1]):
        step = unwrap(receive(flipped(packet, bit) if index == at else packet, key))
        assert isinstance(step, Relay)
        packet = step.packet

    received = receive(flipped(packet, bit) if at == len(KEYS) - 1 else packet, KEYS[-1])
    with pytest.raises(PayloadDamagedError):
        unwrap(received)


def test_a_stream_cipher_would_let_a_relay_mark_a_payload() -> None:
    """What MIX-5 prevents: the control of the test above."""
    cipher = VARIANTS["nim-ctr"]
    packet = create_packet(path_of(KEYS), DESTINATION, MESSAGE, counting(2), cipher)

    last = walk(flipped(packet, 8 * PACKET_BYTES - 1), KEYS, cipher)[-1]

    assert isinstance(last, Exit)
    assert last.message == flipped(MESSAGE, 8 * MESSAGE_BYTES - 1)


@settings(max_examples=200, deadline=None)
@given(packet=st.binary(max_size=5000) | st.binary(min_size=4608, max_size=4608))
def test_arbitrary_bytes_are_refused(packet: bytes) -> None:
    with pytest.raises(MixRefusedError):
        receive(packet, KEYS[0])


@settings(max_examples=200, deadline=None)
@given(routing=st.binary(max_size=BETA_BYTES), zeros=st.integers(0, BETA_BYTES))
def test_arbitrary_routing_of_a_genuine_header_raises_nothing_else(
    routing: bytes, zeros: int
) -> None:
    received = receive(for_last_hop((bytes(zeros) + routing)[:BETA_BYTES]), KEYS[0])
    try:
        step = unwrap(received)
    except MixRefusedError:
        return
    assert not isinstance(step, Relay) or len(step.packet) == PACKET_BYTES


@pytest.mark.parametrize("size", [0, HEADER_BYTES, PACKET_BYTES - 1, PACKET_BYTES + 1])
def test_other_sizes_are_refused(size: int) -> None:
    """mixnet.md 11, P1, of one packet."""
    with pytest.raises(PacketSizeError):
        receive(PACKET.ljust(size, b"\0")[:size], KEYS[0])


@pytest.mark.parametrize("number", LOW_ORDER)
def test_points_of_low_order_are_refused(number: int) -> None:
    """mixnet.md 11, P8."""
    with pytest.raises(PacketPointError, match="low order"):
        receive(with_alpha(number), KEYS[0])


@pytest.mark.parametrize("number", [PRIME, PRIME + 1, 2**255 - 1, 2**256 - 1])
def test_encodings_that_are_not_canonical_are_refused(number: int) -> None:
    """mixnet.md 11, P8."""
    with pytest.raises(PacketPointError, match="canonical"):
        receive(with_alpha(number), KEYS[0])


def test_the_top_bit_of_a_point_makes_no_second_packet() -> None:
    alpha = int.from_bytes(PACKET[:ALPHA_BYTES], "little")

    with pytest.raises(PacketPointError, match="canonical"):
        receive(with_alpha(alpha | 1 << 255), KEYS[0])


def test_a_replay_altered_by_a_point_of_low_order_has_the_same_tag() -> None:
    """The sum of a point u and (0, 0) is 1/u: another public value, the same secret (MIX-7)."""
    alpha = int.from_bytes(PACKET[:ALPHA_BYTES], "little")

    altered = receive(with_alpha(pow(alpha, -1, PRIME)), KEYS[0])

    first = receive(PACKET, KEYS[0])
    assert altered.packet != first.packet
    assert altered.replay_tag == first.replay_tag == hashlib.sha256(first.secret).digest()


def test_tags_differ_by_hop_and_by_packet() -> None:
    again = create_packet(path_of(KEYS), DESTINATION, MESSAGE, counting(3))
    tags = set()
    for packet in (PACKET, again):
        at_hop = packet
        for key in KEYS:
            received = receive(at_hop, key)
            tags.add(received.replay_tag)
            step = unwrap(received)
            at_hop = step.packet if isinstance(step, Relay) else at_hop

    assert len(tags) == 2 * len(KEYS)


def test_another_key_refuses_the_header() -> None:
    with pytest.raises(HeaderForgedError):
        receive(PACKET, KEYS[1])


@pytest.mark.parametrize(
    ("delay", "padding"), [(0, b"\x01".ljust(KAPPA, b"\0")), (1, bytes(KAPPA))]
)
def test_delay_and_padding_must_agree(delay: int, padding: bytes) -> None:
    routing = DESTINATION + delay.to_bytes(2, "big") + NO_SURB + padding

    with pytest.raises(RoutingBlockError):
        unwrap(receive(for_last_hop(routing), KEYS[0]))


def test_an_answer_has_no_destination() -> None:
    routing = DESTINATION + bytes(2) + b"\x01" * KAPPA + bytes(KAPPA)

    with pytest.raises(RoutingBlockError, match="destination"):
        unwrap(receive(for_last_hop(routing), KEYS[0]))


def test_the_exit_may_be_the_destination() -> None:
    last = walk(create_packet(path_of(KEYS), HERE, MESSAGE, counting(4)), KEYS)[-1]

    assert isinstance(last, Exit)
    assert last.is_here


@pytest.mark.parametrize("hops", [3, 4, 5])
def test_no_byte_tells_a_hop_where_on_the_path_it_is(hops: int) -> None:
    """P5 for single bytes: each has some 139 values in 200 packets (deviation 6), at every hop."""
    keys = private_keys(hops)
    views: list[list[bytes]] = [[] for _ in keys]
    for number in range(200):
        packet = create_packet(path_of(keys), HERE, bytes(MESSAGE_BYTES), counting(number))
        for view, key in zip(views, keys, strict=True):
            view.append(packet[ALPHA_BYTES:])
            step = unwrap(receive(packet, key))
            packet = step.packet if isinstance(step, Relay) else packet

    for view in views:
        values = [len(set(column)) for column in zip(*view, strict=True)]
        assert len(values) == PACKET_BYTES - ALPHA_BYTES
        assert all(100 < count < 180 for count in values)


def test_what_a_hop_appends_is_what_the_next_mac_covers() -> None:
    """A relay's packet ends its header with 112 bytes that it has made itself (MIX-4)."""
    step = unwrap(receive(PACKET, KEYS[0]))
    assert isinstance(step, Relay)
    secret = receive(PACKET, KEYS[0]).secret
    made = header_stream(secret, bytes(BETA_BYTES + HOP_BYTES))[BETA_BYTES:]

    assert step.packet[ALPHA_BYTES + BETA_BYTES - HOP_BYTES : ALPHA_BYTES + BETA_BYTES] == made
    receive(step.packet, KEYS[1])


HOPS = hops_of(private_keys(6))


@pytest.mark.parametrize(
    ("hops", "means"),
    [
        (HOPS[:2], (1,)),
        (HOPS, (1,) * 5),
        ([*HOPS[:2], HOPS[0]], (1, 1)),
        (HOPS[:3], (1,)),
        (HOPS[:3], (1, 0)),
        (HOPS[:3], (65536, 1)),
        ([*HOPS[:2], Hop(b"short", HOPS[2].address)], (1, 1)),
        ([*HOPS[:2], Hop(HOPS[2].public_key, b"short")], (1, 1)),
    ],
    ids=["two hops", "six", "twice", "no delay", "zero", "too long", "key", "address"],
)
def test_other_paths_are_refused(hops: list[Hop], means: tuple[int, ...]) -> None:
    with pytest.raises(PathError):
        Path(hops, means)


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32])
def test_unusable_keys_of_hops_are_refused(key: bytes) -> None:
    path = Path([*HOPS[:2], Hop(key, DESTINATION)], (1, 1))

    with pytest.raises(PathError, match="usable"):
        create_header(path, HERE, NO_SURB, private_keys(1)[0])


def test_sizes_of_callers_are_checked() -> None:
    with pytest.raises(ValueError, match="3968"):
        create_packet(path_of(KEYS), DESTINATION, b"short", counting(0))
    with pytest.raises(ValueError, match="random"):
        create_packet(path_of(KEYS), DESTINATION, MESSAGE, lambda _: b"short")


def test_public_keys_are_those_of_the_second_implementation() -> None:
    base = (9).to_bytes(32, "little")

    assert public_key(KEYS[0]) == oracle.x25519(KEYS[0], base)
