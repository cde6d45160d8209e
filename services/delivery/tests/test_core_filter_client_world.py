"""DLC-9 to DLC-14: a light client in a simulated world loses nothing that it does not say."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logos_base.machine import Answer, Ticket
from logos_delivery.core.light.filter import FilterService, PushTo
from logos_delivery.core.light.filter_client import (
    Ask,
    Backfill,
    Deliver,
    FilterClient,
)
from logos_delivery.core.light.filter_wire import (
    FilterKind,
    FilterRequest,
    decode_push,
)
from logos_delivery.core.message import Message

SHARD = "/waku/2/rs/3/1"
OTHER = "/waku/2/rs/3/2"
TICKET = Ticket(1)
SEED = bytes(16)
PING, SUBSCRIBE, UNSUBSCRIBE = FilterKind.PING, FilterKind.SUBSCRIBE, FilterKind.UNSUBSCRIBE


class World:
    """A client and service nodes with their links, on virtual time."""

    def __init__(self, latency_ms: int) -> None:
        self.now_ms = 10_000_000
        self.client = FilterClient(SEED)
        self.services = {name: FilterService() for name in "abc"}
        self.latency_ms = latency_ms
        self.silent: set[str] = set()
        self.deaf: set[str] = set()
        """Services whose pushes fail."""
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.numbers = count()
        self.published: list[tuple[int, str, Message]] = []
        self.wanted: dict[str, int] = {}
        self.delivered: set[bytes] = set()
        self.fetched: list[Backfill] = []
        for name in self.services:
            self.run(self.client.found(name, None, self.now_ms))

    def at(self, delay_ms: int, do: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now_ms + delay_ms, next(self.numbers), do))

    def run(self, effects: list[Any]) -> None:
        for each in effects:
            if isinstance(each, Ask):
                self.at(self.latency_ms, lambda each=each: self.arrive(each))  # type: ignore[misc]
            elif isinstance(each, Deliver):
                assert each.message.payload not in self.delivered
                self.delivered.add(each.message.payload)
            elif isinstance(each, Backfill):
                assert each.from_ms < each.to_ms <= self.now_ms
                self.fetched.append(each)

    def arrive(self, ask: Ask) -> None:
        if ask.peer in self.silent:
            return
        asked = ask.request
        request = FilterRequest("1", asked.kind, asked.pubsub_topic, asked.content_topics)
        effects = self.services[ask.peer].request(TICKET, ask.peer, request, self.now_ms)
        answer = effects[-1]
        assert isinstance(answer, Answer)
        status = answer.value.status  # type: ignore[attr-defined]
        self.at(
            self.latency_ms, lambda: self.run(self.client.answered(ask.call, status, self.now_ms))
        )

    def publish(self, topic: str) -> None:
        message = Message(str(len(self.published)).encode(), topic)
        self.published.append((self.now_ms, topic, message))
        for name, service in self.services.items():
            for each in service.relayed(SHARD, message, self.now_ms):
                if isinstance(each, PushTo):
                    self.send(name, service, each)

    def send(self, name: str, service: FilterService, each: PushTo) -> None:
        if name in self.silent or name in self.deaf:
            self.at(15_000, lambda: service.push_failed(each.push, self.now_ms) and None)
            return
        push = decode_push(each.data)

        def come() -> None:
            service.pushed(each.push, self.now_ms)
            self.run(self.client.pushed(name, push, self.now_ms))

        self.at(self.latency_ms, come)

    def restart(self, name: str, *, is_noticed: bool) -> None:
        self.services[name] = FilterService()
        if is_noticed:
            self.run(self.client.lost(name, self.now_ms))
            self.run(self.client.found(name, None, self.now_ms))

    def want(self, topic: str) -> None:
        if topic not in self.wanted:
            self.wanted[topic] = self.now_ms
            self.run(self.client.want(TICKET, SHARD, [topic], None, self.now_ms))

    def unwant(self, topic: str) -> None:
        if self.wanted.pop(topic, None) is not None:
            self.run(self.client.unwant(SHARD, [topic], self.now_ms))

    def wait(self, gap_ms: int) -> None:
        until_ms = self.now_ms + gap_ms
        while True:
            due = [self.events[0][0]] if self.events else []
            machines = [self.client, *self.services.values()]
            due += [at_ms for each in machines if (at_ms := each.next_wake_ms()) is not None]
            if not due or min(due) > until_ms:
                break
            self.now_ms = max(self.now_ms, min(due))
            for service in self.services.values():
                service.tick(self.now_ms)
            self.run(self.client.tick(self.now_ms))
            while self.events and self.events[0][0] <= self.now_ms:
                heapq.heappop(self.events)[2]()
        self.now_ms = until_ms

    def missing(self) -> list[tuple[int, str]]:
        """Returns what was neither pushed nor said to be fetched."""
        return [
            (at_ms, topic)
            for at_ms, topic, message in self.published
            if topic in self.wanted
            and at_ms >= self.wanted[topic]
            and message.payload not in self.delivered
            and not any(
                topic in each.content_topics and each.from_ms <= at_ms <= each.to_ms
                for each in self.fetched
            )
        ]


names = st.sampled_from("abc")
steps = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from("xy")),
    st.tuples(st.sampled_from(["want", "unwant"]), st.sampled_from("xy")),
    st.tuples(st.just("wait"), st.sampled_from([50, 400, 2_000, 6_000, 40_000])),
    st.tuples(st.sampled_from(["restart", "restart unnoticed", "silent", "deaf", "well"]), names),
)


def play(world: World, kind: str, what: Any) -> None:
    if kind == "publish":
        world.publish(what)
    elif kind == "want":
        world.want(what)
    elif kind == "unwant":
        world.unwant(what)
    elif kind == "wait":
        world.wait(what)
    elif kind == "silent":
        world.silent.add(what)
    elif kind == "deaf":
        world.deaf.add(what)
    elif kind == "well":
        world.silent.discard(what)
        world.deaf.discard(what)
    else:
        world.restart(what, is_noticed=kind == "restart")


@settings(max_examples=120, deadline=None)
@given(st.sampled_from([1, 30, 900]), st.lists(steps, min_size=5, max_size=40))
@example(
    900,
    [
        ("restart", "a"),
        ("unwant", "x"),
        ("want", "y"),
        ("wait", 2_000),
        ("restart unnoticed", "b"),
        ("restart unnoticed", "c"),
    ],
)
@example(
    30,
    [
        ("want", "x"),
        ("wait", 40_000),
        ("restart unnoticed", "a"),
        ("restart unnoticed", "b"),
        ("publish", "x"),
        ("wait", 40_000),
    ],
)
@example(
    1,
    [
        ("want", "x"),
        ("wait", 40_000),
        ("restart unnoticed", "a"),
        ("restart unnoticed", "b"),
        ("publish", "x"),
        ("want", "y"),
        ("wait", 2_000),
    ],
)
@example(
    1,
    [
        ("want", "x"),
        ("wait", 6_000),
        ("deaf", "a"),
        ("deaf", "b"),
        ("publish", "x"),
        ("wait", 50),
        ("well", "a"),
        ("well", "b"),
        ("wait", 6_000),
    ],
)
def test_each_message_is_pushed_or_said_to_be_fetched(
    latency_ms: int, script: list[tuple[str, Any]]
) -> None:  # fmt: skip
    world = World(latency_ms)
    world.want("x")
    for kind, what in script:
        play(world, kind, what)
    world.want("x")
    world.silent.clear()
    world.deaf.clear()
    world.wait(150_000)
    for topic in world.wanted:
        world.publish(topic)
    world.wait(5_000)

    assert world.missing() == []
    live = [name for name, shards in world.client.peers.items() if shards]
    assert len(live) == 2
    last = {message.payload for _, _, message in world.published[-len(world.wanted) :]}
    assert last <= world.delivered


@pytest.mark.parametrize("latency_ms", [1, 900])
def test_without_failures_only_the_beginning_is_fetched(latency_ms: int) -> None:
    world = World(latency_ms)
    world.want("x")
    for number in range(100):
        world.wait(1_000 + 97 * number)
        world.publish("x")
    world.wait(5_000)
    assert len(world.fetched) == 1
    assert world.missing() == []
    assert len(world.delivered) >= 98
