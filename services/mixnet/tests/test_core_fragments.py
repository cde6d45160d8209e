"""Messages in fragments (MIX-12), and their reassembly (MIX-13)."""

import hashlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from mix_paths import counting

from logos_mixnet.core.sphinx.errors import FragmentError, MessageTooLargeError
from logos_mixnet.core.sphinx.fragments import (
    EXPIRY_MS,
    FINISHED_MS,
    FRAGMENT_CODEC,
    HELD_BYTES,
    MAX_CONTENT_BYTES,
    MAX_COST_BYTES,
    MAX_FINISHED,
    MAX_FRAGMENTS,
    MAX_MESSAGE_BYTES,
    PIECE_BYTES,
    Effect,
    Fragment,
    Loss,
    Lost,
    Reassembly,
    Refused,
    Whole,
    cut,
)
from logos_mixnet.core.sphinx.geometry import KAPPA, MESSAGE_BYTES, SURB_BYTES
from logos_mixnet.core.sphinx.message import DATA_BYTES, MAX_SURBS, ForwardBody, MixMessage, pad


def noise(seed: int, size: int) -> bytes:
    return hashlib.shake_256(seed.to_bytes(8, "big")).digest(size)


MESSAGE = noise(1, 3 * PIECE_BYTES + 5)


def bodies(message: bytes, seed: int = 0) -> list[bytes]:
    return [fragment.encode() for fragment in cut(message, counting(seed))]


def feed(machine: Reassembly, parts: list[bytes], now_ms: int = 0) -> list[Effect]:
    return [effect for part in parts for effect in machine.arrived(part, now_ms)]


def part(index: int, count: int, size: int = PIECE_BYTES, fill: int = 0) -> bytes:
    return Fragment(bytes(KAPPA), index, count, bytes([fill]) * size).encode()


@settings(max_examples=40, deadline=None)
@given(data=st.data(), size=st.integers(DATA_BYTES + 1, 8 * PIECE_BYTES))
def test_messages_arrive_in_any_order(data: st.DataObject, size: int) -> None:
    message = noise(2, size)
    order = data.draw(st.permutations(bodies(message)))

    assert feed(Reassembly(), order) == [Whole(message)]


def test_every_fragment_fills_a_packet() -> None:
    packets = [pad(MixMessage(FRAGMENT_CODEC, b).encode(), counting(1)) for b in bodies(MESSAGE)]

    assert {len(packet) for packet in packets} == {MESSAGE_BYTES}
    assert packets[0][:2] == b"\0\0"


def test_a_mebibyte_with_all_reply_blocks_fits() -> None:
    body = ForwardBody(bytes(MAX_CONTENT_BYTES)).encode() + bytes(MAX_SURBS * SURB_BYTES)
    message = MixMessage("c" * 127, body).encode()

    parts = bodies(message)

    assert len(parts) <= MAX_FRAGMENTS
    assert feed(Reassembly(), parts) == [Whole(message)]


def test_larger_and_smaller_messages_are_not_cut() -> None:
    assert len(bodies(bytes(MAX_MESSAGE_BYTES))) == MAX_FRAGMENTS
    with pytest.raises(MessageTooLargeError):
        cut(bytes(MAX_MESSAGE_BYTES + 1), counting(0))
    with pytest.raises(ValueError, match="fits"):
        cut(bytes(DATA_BYTES), counting(0))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(KAPPA),
        part(0, 1),
        part(0, MAX_FRAGMENTS + 1),
        part(2, 2),
        part(0, 2, PIECE_BYTES - 1),
        part(1, 2, 0),
        part(1, 2, PIECE_BYTES + 1),
    ],
    ids=["empty", "cut off", "alone", "too many", "beyond", "short", "no piece", "long"],
)
def test_malformed_fragments_are_refused(body: bytes) -> None:
    machine = Reassembly()

    (effect,) = machine.arrived(body, 0)

    assert isinstance(effect, Refused)
    assert effect.error.reason == "MIX_FRAGMENT"
    assert (machine.held_bytes, machine.next_wake_ms()) == (0, None)


@given(body=st.binary(max_size=PIECE_BYTES + 40))
def test_arbitrary_bytes_raise_nothing_else(body: bytes) -> None:
    try:
        fragment = Fragment.decode(body)
    except FragmentError:
        return
    assert fragment.encode() == body


def test_copies_are_ignored_and_contradictions_refused() -> None:
    machine = Reassembly()
    assert feed(machine, [part(0, 3), part(0, 3)]) == []
    held = machine.held_bytes

    assert isinstance(machine.arrived(part(0, 3, fill=1), 0)[0], Refused)
    assert isinstance(machine.arrived(part(1, 2), 0)[0], Refused)
    assert machine.held_bytes == held
    whole = feed(machine, [part(1, 3), part(2, 3)])
    assert whole == [Whole(bytes(3 * PIECE_BYTES))]


def test_a_message_sent_twice_arrives_once() -> None:
    machine, parts = Reassembly(), bodies(MESSAGE)
    assert feed(machine, parts) == [Whole(MESSAGE)]

    assert feed(machine, parts, FINISHED_MS - 1) == []
    assert machine.held_bytes == 0
    assert feed(machine, parts, FINISHED_MS) == [Whole(MESSAGE)]


def test_messages_expire_after_their_last_fragment() -> None:
    machine, parts = Reassembly(), bodies(MESSAGE)
    machine.arrived(parts[0], 0)
    machine.arrived(parts[1], 1000)
    assert machine.next_wake_ms() == 1000 + EXPIRY_MS

    assert machine.tick(999 + EXPIRY_MS) == []
    assert machine.tick(1000 + EXPIRY_MS) == [Lost(2, len(parts), Loss.EXPIRED)]
    assert (machine.held_bytes, machine.next_wake_ms()) == (0, None)


def test_the_message_that_waited_longest_makes_room() -> None:
    machine = Reassembly(MAX_COST_BYTES)
    old, kept = bodies(MESSAGE, 1), bodies(MESSAGE, 2)
    feed(machine, [kept[0], old[0], kept[1]])
    effects: list[Effect] = []

    for seed in range(3, 1000):
        effects += machine.arrived(bodies(MESSAGE, seed)[0], 0)
        feed(machine, kept[1:3])
        if effects:
            break

    assert effects == [Lost(1, len(old), Loss.DISPLACED)]


def test_memory_stays_within_the_limit() -> None:
    """What Python really takes for a flood of first fragments."""
    machine = Reassembly()
    draw = counting(5)
    piece = bytes(PIECE_BYTES)
    tracemalloc.start()
    try:
        for _ in range(2 * HELD_BYTES // PIECE_BYTES):
            machine.arrived(Fragment(draw(KAPPA), 0, MAX_FRAGMENTS, piece).encode(), 0)
        for _ in range(20_000):  # the smallest fragments there can be
            machine.arrived(Fragment(draw(KAPPA), 1, 2, b"x").encode(), 0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert machine.held_bytes <= HELD_BYTES
    assert taken < 1.1 * HELD_BYTES


def test_ids_of_finished_messages_are_bounded() -> None:
    machine = Reassembly()
    first = [Fragment(bytes(KAPPA), i, 2, bytes(PIECE_BYTES)).encode() for i in (0, 1)]
    assert feed(machine, first) == [Whole(bytes(2 * PIECE_BYTES))]
    for number in range(1, MAX_FINISHED + 1):
        key = number.to_bytes(KAPPA, "big")
        feed(machine, [Fragment(key, i, 2, bytes(PIECE_BYTES)).encode() for i in (0, 1)])

    assert feed(machine, first) == [Whole(bytes(2 * PIECE_BYTES))]


def test_a_limit_below_one_message_is_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        Reassembly(MAX_COST_BYTES - 1)


class Traffic(RuleBasedStateMachine):
    """Fragments of a few messages in any order, junk, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Reassembly(MAX_COST_BYTES)
        self.now_ms = 0
        self.messages = [noise(i, (i + 2) * PIECE_BYTES - i) for i in range(3)]
        self.parts = [bodies(message, i) for i, message in enumerate(self.messages)]

    def see(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not isinstance(effect, Whole) or effect.message in self.messages

    @rule(number=st.integers(0, 2), index=st.integers(0, 3))
    def arrive(self, number: int, index: int) -> None:
        parts = self.parts[number]
        self.see(self.machine.arrived(parts[index % len(parts)], self.now_ms))

    @rule(body=st.binary(max_size=100))
    def junk(self, body: bytes) -> None:
        self.see(self.machine.arrived(body, self.now_ms))

    @rule(fill=st.integers(0, 255), seed=st.integers(0, 500))
    def flood(self, fill: int, seed: int) -> None:
        piece = bytes([fill]) * PIECE_BYTES
        for number in range(40):
            body = Fragment((40 * seed + number).to_bytes(KAPPA, "big"), 0, 2, piece).encode()
            self.see(self.machine.arrived(body, self.now_ms))

    @rule(step_ms=st.integers(0, EXPIRY_MS))
    def pass_time(self, step_ms: int) -> None:
        self.now_ms += step_ms
        self.see(self.machine.tick(self.now_ms))

    @invariant()
    def what_is_held_is_bounded_and_due(self) -> None:
        wake_ms = self.machine.next_wake_ms()
        assert 0 <= self.machine.held_bytes <= MAX_COST_BYTES
        assert (wake_ms is None) == (self.machine.held_bytes == 0)
        assert wake_ms is None or self.now_ms < wake_ms <= self.now_ms + EXPIRY_MS


TestTraffic = Traffic.TestCase
