"""Messages that wait to be fetched: bounded, told once, only of topics that are wanted."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logos_delivery.core.message import Message
from logos_delivery.core.recent import RecentMessages

SHARDS = ("/waku/2/rs/3/0", "/waku/2/rs/3/1")
TOPICS = ("/a/1/x/y", "/b/1/x/y", "/c/1/x/y")
CAPACITY = 3


class Fetching(RuleBasedStateMachine):
    """Beside a list of what should wait, as it was said in DHT-7."""

    def __init__(self) -> None:
        super().__init__()
        self.recent = RecentMessages(CAPACITY)
        self.shards: set[str] = set()
        self.topics: set[str] = set()
        self.left: set[str] = set()
        self.unseen: set[tuple[str, Message]] = set()
        """Waits for its pubsub topic alone: it came while its content topic was left."""
        self.waiting: list[tuple[str, Message]] = []

    def drop(self, goes: Any) -> list[Message]:
        gone = [message for shard, message in self.waiting if goes(shard, message)]
        self.waiting = [one for one in self.waiting if not goes(*one)]
        return gone

    @rule(shard=st.sampled_from(SHARDS))
    def want_pubsub(self, shard: str) -> None:
        self.recent.want_pubsub(shard)
        self.shards.add(shard)

    @rule(topic=st.sampled_from(TOPICS))
    def want_content(self, topic: str) -> None:
        self.recent.want_content(topic)
        if topic in self.left:
            self.unseen |= {one for one in self.waiting if one[1].content_topic == topic}
        self.left.discard(topic)
        self.topics.add(topic)

    @rule(shard=st.sampled_from(SHARDS))
    def unwant_pubsub(self, shard: str) -> None:
        self.recent.unwant_pubsub(shard)
        self.shards.discard(shard)
        self.drop(lambda at, one: at == shard and one.content_topic not in self.topics)

    @rule(topic=st.sampled_from(TOPICS))
    def unwant_content(self, topic: str) -> None:
        self.recent.unwant_content(topic)
        self.topics.discard(topic)
        self.left.add(topic)
        self.drop(lambda at, one: one.content_topic == topic and at not in self.shards)

    @rule(shard=st.sampled_from(SHARDS), topic=st.sampled_from(TOPICS), payload=st.integers(0, 5))
    def add(self, shard: str, topic: str, payload: int) -> None:
        message = Message(bytes([payload]), topic)
        self.recent.add(shard, message)
        if (shard not in self.shards and topic not in self.topics) or (
            (shard, message) in self.waiting
        ):
            return
        self.waiting.append((shard, message))
        self.unseen.discard((shard, message))
        of_shard = [one for one in self.waiting if one[0] == shard]
        if len(of_shard) > CAPACITY:
            self.waiting.remove(of_shard[0])

    @rule(shard=st.sampled_from(SHARDS))
    def take_pubsub(self, shard: str) -> None:
        expected = self.drop(lambda at, _: at == shard) if shard in self.shards else None
        assert self.recent.take_pubsub(shard) == expected

    @rule(topic=st.sampled_from(TOPICS))
    def take_content(self, topic: str) -> None:
        expected = None
        if topic not in self.left:
            taken = self.drop(
                lambda at, one: one.content_topic == topic and (at, one) not in self.unseen
            )
            expected = taken if taken or topic in self.topics else None
        assert self.recent.take_content(topic) == expected

    @rule()
    def clear(self) -> None:
        self.recent.clear()
        self.left.clear()
        self.shards.clear()
        self.topics.clear()
        self.waiting.clear()

    @invariant()
    def nothing_else_takes_memory(self) -> None:
        assert (self.recent.cost_bytes > 0) == bool(self.waiting)
        assert self.recent.pubsub_topics == self.shards
        assert self.recent.content_topics == self.topics


TestFetching = Fetching.TestCase
TestFetching.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.tuples(st.sampled_from(SHARDS), st.integers(0, 2_000)), max_size=40))
@settings(deadline=None)
def test_bytes_are_bounded_and_the_oldest_go(sent: list[tuple[str, int]]) -> None:
    recent = RecentMessages(capacity=1_000, max_bytes=10_000)
    for shard in SHARDS:
        recent.want_pubsub(shard)
    kept: list[tuple[str, bytes]] = []
    for number, (shard, size) in enumerate(sent):
        payload = number.to_bytes(4, "big") + bytes(size)
        recent.add(shard, Message(payload, TOPICS[0]))
        kept.append((shard, payload))
        assert recent.cost_bytes <= 10_000
    found = {shard: [one.payload for one in recent.take_pubsub(shard) or []] for shard in SHARDS}
    left = sum(map(len, found.values()))
    newest = kept[len(kept) - left :]
    assert found == {shard: [payload for at, payload in newest if at == shard] for shard in SHARDS}
