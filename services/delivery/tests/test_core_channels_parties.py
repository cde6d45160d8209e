"""Two to five participants in bad weather, with crashes, on virtual time."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from logos_delivery.core.channels.channel import Channel
from logos_delivery.core.channels.channel_types import (
    Commit,
    Delivered,
    DeliveryFailed,
    Dispatch,
    Effect,
    Event,
    HistoryLost,
    Received,
    SendFailed,
    Sent,
    channel_config,
)
from logos_delivery.core.channels.sds_types import Fetch
from logos_simulation.links import Links, Weather
from logos_simulation.node import Node, Run
from logos_simulation.world import World, seeds

T0 = 1_760_000_000_000
END = (Delivered, DeliveryFailed, SendFailed)
DISPATCH_MS = 30
COMMIT_MS = 3


class Participant:
    """A node with one channel. Its store survives a crash, its reports do not."""

    def __init__(self, group: "Group", name: str, **options: float) -> None:
        self.group = group
        self.name = name
        self.config = channel_config("channel", name, **options)
        self.records: dict[str, bytes] = {}
        self.log: list[Event | str] = []
        """Events, and what was accepted, in the order of their saving."""
        self.node = Node(group.world, name, self.boot)

    def boot(self, node: Node) -> None:
        self.channel = Channel(self.config, dict(self.records), T0 + node.now_ms)
        self.run = Run(node, self.channel, self.perform, lambda: T0 + node.now_ms)
        self.run.put(self.channel.start)

    def perform(self, effect: Effect) -> int | None:
        match effect:
            case Commit(changes=changes, events=events):
                for key, value in changes.items():
                    if value is None:
                        self.records.pop(key, None)
                        continue
                    if key.startswith("r/") and key not in self.records:
                        self.log.append(key.removeprefix("r/"))
                    self.records[key] = value
                self.log += events
                return COMMIT_MS  # a crash may fall between saving and sending
            case Dispatch():
                hash_ = self.group.carry(self, effect)
                self.node.after(
                    DISPATCH_MS,
                    lambda: self.run.report(self.channel.dispatched, effect.key, hash_),
                )
            case Fetch(hashes=hashes):
                found = [self.group.store[one] for one in hashes if one in self.group.store]
                for one in found:
                    self.node.after(DISPATCH_MS, lambda one=one: self.get(one))
            case _:
                pass
        return None

    def get(self, content: bytes) -> None:
        self.run.put(self.channel.received, content, hash_of(content))

    def send(self, request_id: str, payload: bytes) -> None:
        if self.node.is_up:
            self.run.ask(lambda _: None, self.channel.send, request_id, payload)

    def received(self) -> list[tuple[str, bytes]]:
        return [(each.sender, each.payload) for each in self.log if isinstance(each, Received)]

    def accepted(self) -> list[str]:
        return [each for each in self.log if isinstance(each, str)]


class Group:
    """The participants of one channel."""

    def __init__(
        self, seed: int, size: int, weather: Weather, *, has_store: bool = False, **options: float
    ) -> None:
        self.world = World(seed)
        self.has_store = has_store
        self.store: dict[bytes, bytes] = {}
        self.links = Links(self.world, weather)
        self.all = [Participant(self, f"p{number}", **options) for number in range(size)]
        for each in self.all:
            each.node.start()

    def carry(self, sender: Participant, what: Dispatch) -> bytes:
        """Broadcasts; now and then something comes twice. A store gets it like all others."""
        content = what.content
        is_lost = self.world.chance.hits(self.links.weather.loss_percent)
        if self.has_store and not what.is_ephemeral and not is_lost:
            self.store[hash_of(content)] = content
        for other in self.all:
            if other is sender:
                continue
            for _ in range(2 if self.world.chance.hits(5) else 1):
                self.links.send(sender.node, other.node, lambda other=other: other.get(content))
        return hash_of(content)


def hash_of(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def check_outcomes(one: Participant) -> None:
    """Every accepted send ends once; it is sent before it is delivered."""
    events = [each for each in one.log if not isinstance(each, str)]
    for request_id in one.accepted():
        own = [each for each in events if getattr(each, "request_id", None) == request_id]
        ends = [each for each in own if isinstance(each, END)]
        assert len(ends) == 1, (one.name, request_id, own)
        assert own[-1] is ends[0]
        if isinstance(ends[0], Delivered):
            assert own == [Sent(request_id), Delivered(request_id)]


def check_order(group: Group) -> None:
    """What a participant had sent or received before it sent is received before, by all.

    But for those who were told that they wait for some of it no longer.
    """
    told = {payload_of(request_id): set() for each in group.all for request_id in each.accepted()}
    for each in group.all:
        before: set[bytes] = set()
        for one in each.log:
            if isinstance(one, str):
                told[payload_of(one)] = set(before)
                before.add(payload_of(one))
            elif isinstance(one, Received):
                before.add(one.payload)
    for each in group.all:
        seen = {payload_of(one) for one in each.accepted()}
        has_lost = any(isinstance(one, HistoryLost) for one in each.log)
        for _, payload in each.received():
            assert payload not in seen, f"{each.name} received twice"
            missing = told.get(payload, set()) - seen
            assert has_lost or not missing, (
                f"{each.name} received what follows {len(missing)} others"
            )
            seen.add(payload)


def payload_of(request_id: str) -> bytes:
    """Of one to nine segments of 128 bytes, of each request another."""
    name = request_id.encode()
    return name * (1 + sum(name) * 37 % (1100 // len(name)))


def settled(group: Group) -> None:
    """All have a history before the weather turns: they are no newcomers."""
    weather, group.links.weather = group.links.weather, Weather()
    group.all[0].send("hello", payload_of("hello"))
    group.world.run(10_000)
    group.links.weather = weather


@pytest.mark.simulation
@given(
    seed=st.integers(0, 1 << 32),
    size=st.integers(2, 5),
    loss=st.sampled_from([0.0, 12.0]),
    sends=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8_000)), min_size=1, max_size=12),
    crashes=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 20_000), st.integers(0, 4_000)), max_size=4
    ),
    parity=st.sampled_from([0.0, 0.5]),
)
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_all_is_received_in_causal_order_and_every_send_ends(
    *,
    seed: int,
    size: int,
    loss: float,
    sends: list[tuple[int, int]],
    crashes: list[tuple[int, int, int]],
    parity: float,
) -> None:
    """Between two, repetition suffices; of more, one acknowledges, and others use the store."""
    weather = Weather(min_delay_ms=5, max_delay_ms=900, loss_percent=loss)
    group = Group(seed, size, weather, has_store=size > 2, segment_bytes=128, parity_rate=parity)
    settled(group)
    for number, (who, at_ms) in enumerate(sends):
        one = group.all[who % size]
        name = f"{one.name}-{number}"
        group.world.after(at_ms, lambda one=one, name=name: one.send(name, payload_of(name)))
    for who, at_ms, for_ms in crashes:
        node = group.all[who % size].node
        group.world.after(at_ms, node.crash)
        group.world.after(at_ms + for_ms, node.start)

    group.world.run(1_200_000)

    for each in group.all:
        check_outcomes(each)
    check_order(group)
    check_all_received(group)


def check_all_received(group: Group) -> None:
    said = {payload_of(one) for each in group.all for one in each.accepted()}
    for each in group.all:
        own = {payload_of(one) for one in each.accepted()}
        assert {payload for _, payload in each.received()} == said - own, each.name


@pytest.mark.simulation
@pytest.mark.parametrize("seed", seeds(5))
def test_participants_repair_what_one_has_missed_without_a_store(seed: int) -> None:
    """SDS-R: one is away while others speak; nothing is repeated, since others acknowledge."""
    group = Group(seed, 5, Weather(loss_percent=12), segment_bytes=128)
    settled(group)
    group.all[4].node.crash()
    for number in range(6):
        one = group.all[number % 4]
        name = f"{one.name}-{number}"
        group.world.after(
            number * 700, lambda one=one, name=name: one.send(name, b"x" + name.encode())
        )
    group.world.after(60_000, group.all[4].node.start)

    group.world.run(3_000_000)

    for each in group.all:
        assert len({payload for _, payload in each.received()}) + len(each.accepted()) == 7
        assert not [one for one in each.log if isinstance(one, HistoryLost)]


@pytest.mark.simulation
@pytest.mark.parametrize("parity", [0.0, 0.125])
@pytest.mark.parametrize("seed", seeds(3))
def test_five_mebibytes_arrive_through_loss(seed: int, parity: float) -> None:
    """Number 14 of the acceptance tests: 12 % of all messages are lost, of segments and answers."""
    weather = Weather(min_delay_ms=20, max_delay_ms=400, loss_percent=12)
    group = Group(seed, 2, weather, parity_rate=parity)
    alice, bob = group.all
    payload = bytes(range(256)) * (5 << 12)
    assert len(payload) == 5 << 20

    alice.send("big", payload)
    group.world.run(120_000)

    assert bob.received() == [("p0", payload)]
    assert [each for each in alice.log if not isinstance(each, str)] == [
        Sent("big"),
        Delivered("big"),
    ]
    assert not [key for key in (*alice.records, *bob.records) if key[0] in "oprs"]


def test_who_is_alone_is_told_so() -> None:
    group = Group(1, 1, Weather())
    (alice,) = group.all

    for number in range(3):
        alice.send(f"r{number}", b"x")
    group.world.run(120_000)

    assert len([each for each in alice.log if isinstance(each, DeliveryFailed)]) == 3


def test_ten_senders_at_once_are_in_one_order_everywhere() -> None:
    """All participants have the same log (LIP SDS), whatever came first to each."""
    group = Group(7, 5, Weather(min_delay_ms=5, max_delay_ms=2_000, loss_percent=12))
    for number, each in enumerate(group.all * 2):
        each.send(f"{each.name}-{number}", str(number).encode())
    group.world.run(600_000)

    logs = [each.channel._sds.log.ids() for each in group.all]

    assert len(logs[0]) == 10
    assert all(one == other for one, other in pairwise(logs))
