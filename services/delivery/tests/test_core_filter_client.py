"""DLC-10 to DLC-15: the subscriptions of a light client."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from logos_base.machine import Answer, Ticket
from logos_delivery.core.light import coverage
from logos_delivery.core.light.coverage import Covered, Span
from logos_delivery.core.light.direct import DirectSubscriptions
from logos_delivery.core.light.errors import FilterCriteriaFullError
from logos_delivery.core.light.filter_client import (
    DEBOUNCE_MS,
    Ask,
    Backfill,
    Deliver,
    FilterClient,
    HealthChanged,
)
from logos_delivery.core.light.filter_wire import (
    FilterKind,
    FilterPush,
    FilterStatus,
)
from logos_delivery.core.light.service_peers import (
    LIMIT_PAUSE_MS,
    MAX_SERVICE_PEERS,
    PING_AFTER_SILENCE_MS,
    PING_EVERY_MS,
    PING_TIMEOUT_MS,
    SUBSCRIBE_TIMEOUT_MS,
)
from logos_delivery.core.message import Message

SHARD = "/waku/2/rs/3/1"
OTHER = "/waku/2/rs/3/2"
TICKET = Ticket(1)
SEED = bytes(16)
PING, SUBSCRIBE, UNSUBSCRIBE = FilterKind.PING, FilterKind.SUBSCRIBE, FilterKind.UNSUBSCRIBE


class Client:
    """A client whose effects are kept, and whose time is moved by hand."""

    def __init__(self, *peers: str) -> None:
        self.machine = FilterClient(SEED)
        self.now_ms = 1_000_000
        self.asked: list[Ask] = []
        self.others: list[Any] = []
        for peer in peers:
            self.do(self.machine.found, peer, None)

    def do(self, step: Callable[..., list[Any]], *args: Any) -> None:
        for effect in step(*args, self.now_ms):
            if isinstance(effect, Ask):
                self.asked.append(effect)
            elif not isinstance(effect, Answer):
                self.others.append(effect)

    def want(self, *topics: str, shard: str = SHARD, since_ms: int | None = None) -> None:
        self.do(self.machine.want, TICKET, shard, topics, since_ms)

    def wait(self, gap_ms: int) -> None:
        until_ms = self.now_ms + gap_ms
        while (wake_ms := self.machine.next_wake_ms()) is not None and wake_ms <= until_ms:
            self.now_ms = max(self.now_ms, wake_ms)
            self.do(self.machine.tick)
            later_ms = self.machine.next_wake_ms()
            assert later_ms is None or later_ms > wake_ms or later_ms > self.now_ms
        self.now_ms = until_ms

    def take(self) -> list[tuple[str, FilterKind, tuple[str, ...]]]:
        """Returns what was asked since the last time, without marks."""
        asked, self.asked = self.asked, []
        return [(each.peer, each.request.kind, topics_of(each)) for each in asked]

    def answer(self, status: int = FilterStatus.OK, *, peers: str | None = None) -> None:
        """Answers all that was asked, and what is asked then."""
        while pending := [each for each in self.asked if peers is None or each.peer in peers]:
            self.asked.remove(pending[0])
            self.do(self.machine.answered, pending[0].call, status)

    def seen(self, kind: type) -> list[Any]:
        found = [each for each in self.others if isinstance(each, kind)]
        self.others = [each for each in self.others if not isinstance(each, kind)]
        return found


def topics_of(ask: Ask) -> tuple[str, ...]:
    asked = ask.request
    return asked.content_topics if asked.mark is None else asked.content_topics[:-1]


def subscribed(*topics: str, peers: str = "ab") -> Client:
    client = Client(*peers)
    client.want(*topics)
    client.wait(DEBOUNCE_MS)
    client.answer()
    client.seen(Backfill)
    client.seen(HealthChanged)
    return client


def push(number: int, topic: str = "x", shard: str = SHARD) -> FilterPush:
    return FilterPush(shard, Message(str(number).encode(), topic))


def test_changes_within_a_second_are_asked_of_two_peers_at_once() -> None:
    client = Client("a", "b", "c")
    client.want("x")
    client.wait(500)
    client.want("y")
    assert client.take() == []
    client.wait(500)
    assert {each.deadline_ms - client.now_ms for each in client.asked} == {SUBSCRIBE_TIMEOUT_MS}
    assert client.take() == [("a", SUBSCRIBE, ("x", "y")), ("b", SUBSCRIBE, ("x", "y"))]


def test_health_is_the_number_of_peers_that_took_all() -> None:
    client = Client("a", "b")
    client.want("x")
    client.wait(DEBOUNCE_MS)
    client.answer(peers="a")
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 1)]
    client.answer(peers="b")
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 2)]
    client.do(client.machine.lost, "a")
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 1)]
    assert client.machine.peers == {"b": (SHARD,)}


def test_many_topics_are_asked_for_a_hundred_at_a_time() -> None:
    client = Client("a")
    client.want(*map(str, range(250)))
    client.wait(DEBOUNCE_MS)
    sizes = []
    for _ in range(4):
        (ask,) = client.asked
        assert len(ask.request.content_topics) <= 100
        sizes.append((ask.request.kind, len(topics_of(ask))))
        assert not client.seen(HealthChanged)
        client.asked = []
        client.do(client.machine.answered, ask.call, FilterStatus.OK)
    assert sizes == [(SUBSCRIBE, 99), (SUBSCRIBE, 99), (UNSUBSCRIBE, 0), (SUBSCRIBE, 52)]
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 1)]


def test_no_more_topics_can_be_wanted_than_a_peer_takes() -> None:
    client = Client()
    client.want(*map(str, range(997)))
    client.want("0", "more", shard=SHARD)
    with pytest.raises(FilterCriteriaFullError):
        client.want("too many", shard=OTHER)
    client.do(client.machine.unwant, SHARD, ["0"])
    client.want("not too many", shard=OTHER)


def test_peers_of_other_shards_and_beyond_a_number_are_not_used() -> None:
    client = Client()
    client.do(client.machine.found, "other", frozenset({OTHER}))
    client.do(client.machine.found, "fits", frozenset({SHARD, OTHER}))
    client.want("x")
    client.wait(DEBOUNCE_MS)
    assert [peer for peer, *_ in client.take()] == ["fits"]
    for number in range(2 * MAX_SERVICE_PEERS):
        client.do(client.machine.found, f"peer {number}", frozenset({"/waku/2/rs/9/9"}))
    client.do(client.machine.found, "too late", None)
    client.wait(DEBOUNCE_MS)
    assert "too late" not in client.machine.peers


def test_peers_that_serve_another_shard_come_first() -> None:
    client = Client()
    for peer in "cd":
        client.do(client.machine.found, peer, frozenset({OTHER}))
    for peer in "ab":
        client.do(client.machine.found, peer, None)
    client.want("x")
    client.wait(DEBOUNCE_MS)
    client.answer()
    client.want("y", shard=OTHER)
    client.wait(DEBOUNCE_MS)
    assert client.machine.peers == {"a": (SHARD, OTHER), "b": (SHARD, OTHER)}


def test_what_is_wanted_no_longer_is_unsubscribed_from_and_dropped_at_once() -> None:
    client = subscribed("x", "y")
    client.do(client.machine.unwant, SHARD, ["x"])
    client.do(client.machine.pushed, "a", push(1, "x"))
    assert client.seen(Deliver) == []
    client.wait(DEBOUNCE_MS)
    assert client.take() == [("a", UNSUBSCRIBE, ("x",)), ("b", UNSUBSCRIBE, ("x",))]


def test_a_shard_without_topics_needs_no_peers() -> None:
    client = subscribed("x")
    client.do(client.machine.unwant, SHARD, ["x"])
    client.wait(DEBOUNCE_MS)
    kinds = []
    while client.asked:
        kinds.append(client.asked[0].request.kind)
        client.do(client.machine.answered, client.asked.pop(0).call, FilterStatus.OK)
    assert kinds == [UNSUBSCRIBE] * 2 + [FilterKind.UNSUBSCRIBE_ALL] * 2  # no mark is left
    assert client.machine.peers == {}
    assert client.machine.next_wake_ms() is None


def test_two_peers_push_a_message_and_it_is_delivered_once() -> None:
    client = subscribed("x")
    client.do(client.machine.pushed, "a", push(1))
    client.do(client.machine.pushed, "b", push(1))
    assert client.seen(Deliver) == [Deliver(SHARD, push(1).message, "a")]


def test_pushes_that_were_not_subscribed_to_do_not_count() -> None:
    client = subscribed("x", peers="abc")
    for peer, each in (("c", push(1)), ("z", push(1)), ("a", push(1, "y")),
                       ("a", push(1, "x", OTHER))):  # fmt: skip
        client.do(client.machine.pushed, peer, each)
    assert client.seen(Deliver) == []
    client.do(client.machine.pushed, "a", push(1))
    assert len(client.seen(Deliver)) == 1


def test_a_silent_peer_is_pinged_after_five_seconds() -> None:
    client = subscribed("x", peers="a")
    client.wait(PING_AFTER_SILENCE_MS - 1)
    assert client.take() == []
    client.do(client.machine.pushed, "a", push(1))
    client.wait(PING_AFTER_SILENCE_MS - 1)
    assert client.take() == []
    client.wait(1)
    assert client.asked[0].deadline_ms == client.now_ms + PING_TIMEOUT_MS
    assert client.take() == [("a", PING, ())]


def test_pushes_do_not_put_off_a_ping_for_ever() -> None:
    client = subscribed("x", peers="a")
    for number in range(PING_EVERY_MS // 1_000):
        assert client.take() == []
        client.wait(1_000)
        client.do(client.machine.pushed, "a", push(number))
    assert client.take() == [("a", PING, ())]


def test_a_peer_that_disconnects_and_comes_back_is_subscribed_to_again() -> None:
    client = subscribed("x", "y", peers="a")
    client.do(client.machine.lost, "a")
    client.do(client.machine.found, "a", None)
    client.wait(DEBOUNCE_MS)
    assert client.take() == [("a", SUBSCRIBE, ("x", "y"))]


def test_a_restart_is_noticed_by_a_ping_and_the_time_since_the_last_proof_is_fetched() -> None:
    client = subscribed("x", peers="a")
    began_ms = client.now_ms
    for _ in range(20):
        client.wait(PING_AFTER_SILENCE_MS)
        client.answer()
    last_ms = client.now_ms
    client.wait(PING_AFTER_SILENCE_MS)
    (ping,) = client.asked
    client.asked = []
    client.do(client.machine.answered, ping.call, FilterStatus.NOT_FOUND)

    assert client.take() == [("a", SUBSCRIBE, ("x",))]
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 0)]
    client.now_ms += 300
    client.do(client.machine.answered, ping.call + 1, FilterStatus.OK)
    assert last_ms - 25_000 > began_ms
    assert client.seen(Backfill) == [Backfill(SHARD, ("x",), last_ms - 25_000, client.now_ms)]
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 1)]


def test_the_time_until_the_first_peer_took_a_topic_is_fetched() -> None:
    client = Client("a", "b")
    wanted_ms = client.now_ms
    client.want("x")
    client.wait(DEBOUNCE_MS + 200)
    client.answer(peers="b")
    assert client.seen(Backfill) == [Backfill(SHARD, ("x",), wanted_ms, client.now_ms)]
    client.wait(100)
    client.answer(peers="a")
    assert client.seen(Backfill) == []


def test_what_an_earlier_run_lacked_is_fetched_too() -> None:
    client = Client("a")
    client.want("x", since_ms=5)
    client.wait(DEBOUNCE_MS)
    client.answer()
    assert client.seen(Backfill) == [Backfill(SHARD, ("x",), 5, client.now_ms)]


def test_nothing_is_fetched_while_another_peer_covers_it() -> None:
    client = subscribed("x")
    for _ in range(20):
        client.wait(PING_AFTER_SILENCE_MS)
        client.answer()
    client.do(client.machine.lost, "a")
    client.do(client.machine.found, "a", None)
    for _ in range(20):
        client.wait(PING_AFTER_SILENCE_MS)
        client.answer()
    assert client.seen(Backfill) == []


def test_both_peers_lost_at_once_leave_a_gap_though_they_come_back_apart() -> None:
    client = subscribed("x")
    for _ in range(20):
        client.wait(PING_AFTER_SILENCE_MS)
        client.answer()
    proven_ms = client.now_ms - 25_000
    client.wait(PING_AFTER_SILENCE_MS)  # both have restarted
    ping_of = {each.peer: each.call for each in client.asked}
    client.asked = []
    client.do(client.machine.answered, ping_of["a"], FilterStatus.NOT_FOUND)
    client.answer(peers="a")
    again_ms = client.now_ms
    assert client.seen(Backfill) == []  # b may still have covered it
    client.now_ms += 700
    client.do(client.machine.answered, ping_of["b"], FilterStatus.NOT_FOUND)
    assert client.seen(Backfill) == [Backfill(SHARD, ("x",), proven_ms, again_ms)]


def test_a_second_subscription_is_followed_by_the_first_ones_mark() -> None:
    client = subscribed("x", peers="a")
    first_ms = client.now_ms
    client.wait(3_000)
    wanted_ms = client.now_ms
    client.want("y")
    client.wait(DEBOUNCE_MS)
    (second,) = client.asked
    assert client.take() == [("a", SUBSCRIBE, ("y",))]
    second_ms = client.now_ms
    client.do(client.machine.answered, second.call, FilterStatus.OK)
    assert client.seen(Backfill) == [Backfill(SHARD, ("y",), wanted_ms, second_ms)]
    (probe,) = client.asked
    assert probe.request.mark not in {None, second.request.mark}
    assert client.take() == [("a", UNSUBSCRIBE, ())]

    # The mark is gone: so is the first subscription, though the second was taken.
    client.do(client.machine.answered, probe.call, FilterStatus.NOT_FOUND)
    (again,) = client.asked
    assert client.take() == [("a", SUBSCRIBE, ("x", "y"))]
    client.now_ms += 10
    client.do(client.machine.answered, again.call, FilterStatus.OK)
    assert client.seen(Backfill) == [
        Backfill(SHARD, ("x",), first_ms, client.now_ms),
        Backfill(SHARD, ("y",), second_ms, client.now_ms),
    ]


def test_a_mark_that_is_there_proves_as_much_as_a_ping() -> None:
    client = subscribed("x", peers="a")
    client.want("y")
    client.wait(DEBOUNCE_MS)
    client.answer()
    proven_ms = client.now_ms + 60_000
    client.now_ms = proven_ms
    client.want("z")
    client.do(client.machine.tick)
    client.answer()
    client.seen(Backfill)
    client.do(client.machine.lost, "a")
    client.do(client.machine.found, "a", None)
    client.wait(DEBOUNCE_MS)
    client.answer()
    assert Backfill(SHARD, ("x", "y"), proven_ms - 25_000, client.now_ms) in client.seen(Backfill)


def test_a_peer_that_has_failed_ends_all_first() -> None:
    client = Client("a")
    client.want("x")
    client.wait(DEBOUNCE_MS)
    client.answer(FilterStatus.SERVICE_UNAVAILABLE)
    client.wait(DEBOUNCE_MS)
    (end,) = client.asked
    assert client.take() == [("a", FilterKind.UNSUBSCRIBE_ALL, ())]
    client.do(client.machine.answered, end.call, FilterStatus.NOT_FOUND)
    assert client.take() == [("a", SUBSCRIBE, ("x",))]


def test_a_peer_that_fails_is_replaced_and_left_alone_for_longer_each_time() -> None:
    client = Client("a", "b", "c")
    client.want("x")
    client.wait(DEBOUNCE_MS)
    client.answer(FilterStatus.SERVICE_UNAVAILABLE, peers="a")
    client.answer(peers="b")
    assert set(client.machine.peers) == {"b"}
    client.wait(DEBOUNCE_MS - 1)
    assert set(client.machine.peers) == {"b"}
    client.do(client.machine.lost, "a")
    client.wait(1)
    assert client.take() == [("c", SUBSCRIBE, ("x",))]


def test_pauses_double_up_to_thirty_seconds() -> None:
    client = Client("a")
    client.want("x")
    times = []
    for _ in range(8):
        while not client.asked:
            client.wait(100)
        times.append(client.now_ms)
        client.do(client.machine.unanswered, client.asked.pop().call)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]


def test_an_answer_that_does_not_come_is_a_failure() -> None:
    client = Client("a", "b", "c")
    client.want("x")
    client.wait(DEBOUNCE_MS)
    late, other = client.asked
    assert (late.peer, other.peer) == ("a", "b")
    client.wait(SUBSCRIBE_TIMEOUT_MS - 1)
    client.answer(peers="b")
    assert set(client.machine.peers) == {"a", "b"}
    client.wait(1)
    assert set(client.machine.peers) == {"b"}
    client.do(client.machine.answered, late.call, FilterStatus.OK)
    client.do(client.machine.unanswered, late.call)
    assert client.seen(HealthChanged) == [HealthChanged(SHARD, 1)]


def test_a_peer_that_limits_requests_keeps_its_shards() -> None:
    client = subscribed("x", peers="a")
    client.wait(PING_AFTER_SILENCE_MS)
    client.answer(FilterStatus.TOO_MANY_REQUESTS)
    assert client.machine.peers == {"a": (SHARD,)}
    client.do(client.machine.pushed, "a", push(1))
    assert len(client.seen(Deliver)) == 1
    client.wait(LIMIT_PAUSE_MS - 1)
    assert client.take() == []
    client.wait(1)
    assert client.take() == [("a", PING, ())]


def test_a_peer_that_lacks_what_it_should_end_is_subscribed_to_anew() -> None:
    client = subscribed("x", "y", peers="a")
    client.do(client.machine.unwant, SHARD, ["x"])
    client.wait(DEBOUNCE_MS)
    (ask,) = client.asked
    client.asked = []
    client.do(client.machine.answered, ask.call, FilterStatus.NOT_FOUND)
    assert client.take() == [("a", SUBSCRIBE, ("y",))]


def test_what_spans_cover() -> None:
    assert coverage.advance(5, []) == Covered(5)
    assert coverage.advance(5, [Span(5, 9)]) == Covered(9)
    assert coverage.advance(5, [Span(3, 4)]) == Covered(5)
    assert coverage.advance(5, [Span(8, 9), Span(4, 8)]) == Covered(9)
    assert coverage.advance(5, [Span(8, 9), Span(4, 7)]) == Covered(7)
    assert coverage.advance(5, [Span(8, 9), Span(7, 7)]) == Covered(7, (5, 7))


def test_direct_subscriptions_admit_what_they_noted_once() -> None:
    direct = DirectSubscriptions()
    assert direct.note("a", SHARD, ["x", "y"]) is None
    assert direct.admits("a", push(1), 0)
    assert not direct.admits("a", push(1), 0)
    assert not direct.admits("b", push(2), 0)
    assert not direct.admits("a", push(2, "z"), 0)
    direct.ended("a", SHARD, ["x"])
    assert not direct.admits("a", push(3), 0)
    assert direct.admits("a", push(3, "y"), 0)
    direct.ended_all("a")
    assert not direct.admits("a", push(4, "y"), 0)
    topics = [str(number) for number in range(1_000)]
    assert direct.note("a", SHARD, topics) is None
    assert direct.note("a", SHARD, ["one more"]) is not None
