from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logos_crypto.hashes import keccak256
from logos_delivery.core.channels.reassembly import (
    DropReason,
    Limits,
    Reassembly,
    Rebuilt,
    SegmentDropped,
    SetDropped,
)
from logos_delivery.core.channels.segmentation import Segment, cut


def fake(number: int, *, size: int = 64, count: int = 5) -> Segment:
    return Segment(number.to_bytes(32, "big"), 0, count, bytes(size))


def fed(machine: Reassembly, sender: str, segments: list[Segment], now_ms: int = 0) -> list[object]:
    return [effect for each in segments for effect in machine.receive(sender, each, now_ms)]


def test_a_payload_is_whole_with_its_last_segment() -> None:
    payload = bytes(range(200))
    machine = Reassembly(Limits())
    made = cut(payload, segment_bytes=64, parity_rate=0)

    assert fed(machine, "a", made[::-1][:-1]) == []
    assert machine.receive("a", made[0], 0) == [Rebuilt(("a", keccak256(payload)), payload)]
    assert (len(machine), machine.size_bytes) == (0, 0)


def test_late_segments_of_a_whole_payload_are_duplicates_and_a_second_sending_is_not() -> None:
    payload = bytes(range(250))
    machine = Reassembly(Limits())
    made = cut(payload, segment_bytes=64, parity_rate=0.5)
    assert (made[0].data_count, made[0].parity_count) == (4, 2)
    key = ("a", made[0].payload_hash)

    assert fed(machine, "a", made[2:]) == [Rebuilt(key, payload)]
    assert fed(machine, "a", made[:2]) == [SegmentDropped(key, DropReason.DUPLICATE)] * 2
    assert fed(machine, "a", made[:4]) == [Rebuilt(key, payload)]


def test_segments_of_two_senders_are_not_put_together() -> None:
    made = cut(bytes(100), segment_bytes=64, parity_rate=0)
    machine = Reassembly(Limits())

    assert machine.receive("a", made[0], 0) == []
    assert machine.receive("b", made[1], 0) == []
    assert len(machine) == 2


def test_a_false_hash_drops_the_set() -> None:
    made = cut(bytes(100), segment_bytes=64, parity_rate=0)
    false = [Segment(bytes(32), each.index, 2, each.piece) for each in made]
    machine = Reassembly(Limits())

    effects = fed(machine, "a", false)

    assert effects == [SetDropped(("a", bytes(32)), DropReason.WRONG_HASH)]
    assert (len(machine), machine.size_bytes) == (0, 0)


def test_what_contradicts_the_first_segment_is_dropped_alone() -> None:
    payload = bytes(range(100))
    made = cut(payload, segment_bytes=64, parity_rate=0)
    key = ("a", made[0].payload_hash)
    machine = Reassembly(Limits())
    machine.receive("a", made[0], 0)

    other = Segment(made[1].payload_hash, 1, 3, made[1].piece)

    assert machine.receive("a", other, 0) == [SegmentDropped(key, DropReason.CONTRADICTION)]
    assert machine.receive("a", made[0], 0) == [SegmentDropped(key, DropReason.DUPLICATE)]
    assert machine.receive("a", made[1], 0) == [Rebuilt(key, payload)]


def test_a_thousand_fake_first_segments_displace_only_their_sender_s() -> None:
    """CHN-7; number 14 of the acceptance tests."""
    payload = bytes(range(256)) * 2
    made = cut(payload, segment_bytes=64, parity_rate=0)
    limits = Limits(sets=64, sets_per_sender=16)
    machine = Reassembly(limits)
    fed(machine, "honest", made[:-1])

    effects = fed(machine, "liar", [fake(number) for number in range(1000)])

    assert len(effects) == 1000 - limits.sets_per_sender
    assert all(isinstance(each, SetDropped) and each.key[0] == "liar" for each in effects)
    assert len(machine) == limits.sets_per_sender + 1
    key = ("honest", keccak256(payload))
    assert machine.receive("honest", made[-1], 0) == [Rebuilt(key, payload)]


def test_many_names_of_a_liar_take_from_the_one_with_the_most_sets() -> None:
    machine = Reassembly(Limits(sets=10, sets_per_sender=5))
    fed(machine, "big", [fake(number) for number in range(4)])

    for number in range(6):
        assert machine.receive(f"name {number}", fake(99), 0) == []
    effects = machine.receive("name 6", fake(99), 0)

    assert effects == [SetDropped(("big", fake(0).payload_hash), DropReason.DISPLACED)]


def test_a_set_of_more_bytes_than_a_sender_may_have_is_dropped() -> None:
    machine = Reassembly(Limits(bytes_per_sender=150))
    two = [Segment(bytes(32), index, 9, bytes(64)) for index in range(3)]

    assert fed(machine, "a", two) == [SetDropped(("a", bytes(32)), DropReason.TOO_LARGE)]
    assert machine.size_bytes == 0


def test_a_set_is_given_up_after_a_silence() -> None:
    machine = Reassembly(Limits(timeout_ms=100))
    machine.receive("a", Segment(bytes(32), 0, 3, b"x"), 0)
    machine.receive("b", Segment(bytes(32), 0, 3, b"x"), 10)
    machine.receive("a", Segment(bytes(32), 1, 3, b"x"), 50)

    assert machine.next_wake_ms() == 110
    assert machine.tick(109) == []
    assert machine.tick(110) == [SetDropped(("b", bytes(32)), DropReason.TIMED_OUT)]
    assert machine.next_wake_ms() == 150
    assert machine.tick(150) == [SetDropped(("a", bytes(32)), DropReason.TIMED_OUT)]
    assert machine.next_wake_ms() is None


segments = st.builds(
    lambda number, index, count, size: Segment(
        number.to_bytes(32, "big"), index % count, count, bytes(size)
    ),
    st.integers(0, 9),
    st.integers(0, 5),
    st.integers(2, 5),
    st.integers(1, 100),
)


class Bounded(RuleBasedStateMachine):
    """Whatever is received, no bound is passed, and what was taken is accounted for."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(
            sets=6, sets_per_sender=3, bytes_=500, bytes_per_sender=300, timeout_ms=50
        )
        self.machine = Reassembly(self.limits)
        self.now_ms = 0

    @rule(sender=st.sampled_from("abc"), segment=segments)
    def receive(self, sender: str, segment: Segment) -> None:
        self.machine.receive(sender, segment, self.now_ms)

    @rule(gap=st.integers(0, 60))
    def tick(self, gap: int) -> None:
        self.now_ms += gap
        self.machine.tick(self.now_ms)
        wake_ms = self.machine.next_wake_ms()
        assert wake_ms is None or wake_ms > self.now_ms

    @invariant()
    def holds_no_more_than_it_may(self) -> None:
        sets = self.machine._sets
        sizes = {key: sum(map(len, each.pieces.values())) for key, each in sets.items()}
        assert self.machine.size_bytes == sum(sizes.values()) <= self.limits.bytes_
        assert len(sets) <= self.limits.sets
        held: Counter[str] = Counter(sender for sender, _ in sets)
        assert all(count <= self.limits.sets_per_sender for count in held.values())
        for one in held:
            own = sum(size for (sender, _), size in sizes.items() if sender == one)
            assert own <= self.limits.bytes_per_sender


TestBounded = Bounded.TestCase


@given(st.binary(min_size=65, max_size=900), st.sampled_from([0.0, 0.25, 1.0]), st.data())
def test_every_order_with_duplicates_gives_the_payload_once(
    payload: bytes, rate: float, data: st.DataObject
) -> None:
    made = cut(payload, segment_bytes=64, parity_rate=rate)
    order = data.draw(st.permutations(made))
    machine = Reassembly(Limits())

    effects = fed(machine, "a", order)

    assert [each for each in effects if isinstance(each, Rebuilt)] == [
        Rebuilt(("a", keccak256(payload)), payload)
    ]
    assert len(machine) == 0
