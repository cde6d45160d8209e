"""DLC-4 to DLC-9: the filter service."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logos_base.machine import Answer, Ticket
from logos_delivery.core.light import filter as filter_service
from logos_delivery.core.light.filter import (
    MAX_PUSHES,
    PUSH_TIMEOUT_MS,
    SWEEP_MS,
    FilterService,
    Forget,
    PushTo,
)
from logos_delivery.core.light.filter_wire import (
    FilterKind,
    FilterRequest,
    FilterResponse,
    decode_push,
)
from logos_delivery.core.light.seen import SeenHashes
from logos_delivery.core.light.subscriptions import KEEP_MS, Criterion, Subscriptions
from logos_delivery.core.message import Message

SHARD = "/waku/2/rs/3/1"
TOPIC = "/test/1/waku-filter/proto"
TICKET = Ticket(1)


def ask(
    service: FilterService, peer: str, kind: FilterKind, *topics: str, shard: str | None = SHARD,
    now_ms: int = 0,
) -> FilterResponse:  # fmt: skip
    effects = service.request(TICKET, peer, FilterRequest("7", kind, shard, topics), now_ms)
    answer = effects[-1]
    assert isinstance(answer, Answer)
    assert isinstance(answer.value, FilterResponse)
    assert answer.value.request_id == "7"
    return answer.value


def outcome(*args: Any, **options: Any) -> tuple[int, str | None]:
    response = ask(*args, **options)
    return response.status, response.description


def pushes(effects: list[Any]) -> dict[str, int]:
    return {each.peer: each.push for each in effects if isinstance(each, PushTo)}


def message(number: int = 0, topic: str = TOPIC) -> Message:
    return Message(str(number).encode(), topic)


def test_a_subscriber_is_pushed_the_messages_of_its_topics_and_no_others() -> None:
    service = FilterService()
    assert outcome(service, "a", FilterKind.SUBSCRIBE, TOPIC) == (200, "OK")

    (push,) = service.relayed(SHARD, message(), 1_000)

    assert isinstance(push, PushTo)
    assert (push.peer, push.deadline_ms) == ("a", 1_000 + PUSH_TIMEOUT_MS)
    assert decode_push(push.data).message == message()
    assert decode_push(push.data).pubsub_topic == SHARD
    assert service.relayed(SHARD, message(1, "/other/1/a/proto"), 1_000) == []
    assert service.relayed("/waku/2/rs/3/2", message(2), 1_000) == []


@pytest.mark.parametrize("kind", [FilterKind.SUBSCRIBE, FilterKind.UNSUBSCRIBE])
def test_the_texts_of_requests_that_are_refused(kind: FilterKind) -> None:
    service = FilterService()
    unspecified = (400, "BAD_REQUEST: pubsubTopic and contentTopics must be specified")
    assert outcome(service, "a", kind) == unspecified
    assert outcome(service, "a", kind, TOPIC, shard=None) == unspecified
    assert outcome(service, "a", kind, TOPIC, shard="") == unspecified
    assert outcome(service, "a", kind, TOPIC, "") == unspecified
    too_many = (400, "BAD_REQUEST: exceeds maximum content topics: 100")
    assert outcome(service, "a", kind, *map(str, range(101))) == too_many
    assert outcome(service, "a", kind, *["x"] * 101) == too_many
    too_long = (400, "BAD_REQUEST: exceeds maximum topic length: 1024")
    assert outcome(service, "a", kind, "é" * 513) == too_long
    assert outcome(service, "a", kind, "x", shard="p" * 1025) == too_long
    assert len(service.subscriptions) == 0


def test_a_hundred_topics_are_taken_at_once() -> None:
    service = FilterService()
    assert outcome(service, "a", FilterKind.SUBSCRIBE, *map(str, range(100))) == (200, "OK")
    assert len(service.subscriptions.criteria_of("a")) == 100


def test_who_has_no_subscription_is_not_found() -> None:
    service = FilterService()
    missing = (404, "NOT_FOUND: peer has no subscriptions")
    assert outcome(service, "a", FilterKind.PING, shard=None) == missing
    assert outcome(service, "a", FilterKind.UNSUBSCRIBE, TOPIC) == missing
    assert outcome(service, "a", FilterKind.UNSUBSCRIBE_ALL, shard=None) == missing
    ask(service, "b", FilterKind.SUBSCRIBE, TOPIC, "other")
    assert outcome(service, "b", FilterKind.PING, shard=None) == (200, "OK")
    assert outcome(service, "b", FilterKind.UNSUBSCRIBE, "unknown") == missing
    assert outcome(service, "b", FilterKind.UNSUBSCRIBE, TOPIC, shard="/waku/2/rs/3/9") == missing
    assert len(service.subscriptions.criteria_of("b")) == 2


def test_unsubscribing_removes_what_is_there_even_if_not_all_of_it_was() -> None:
    service = FilterService()
    ask(service, "a", FilterKind.SUBSCRIBE, "x", "y")
    assert ask(service, "a", FilterKind.UNSUBSCRIBE, "x", "z").status == 404
    assert service.subscriptions.criteria_of("a") == {Criterion(SHARD, "y")}
    assert ask(service, "a", FilterKind.UNSUBSCRIBE, "y").is_ok
    assert ask(service, "a", FilterKind.PING).status == 404
    assert service.relayed(SHARD, message(topic="y"), 0) == []


def test_unsubscribing_from_all_closes_the_stream() -> None:
    service = FilterService()
    ask(service, "a", FilterKind.SUBSCRIBE, "x", "y")
    service.relayed(SHARD, message(topic="x"), 0)
    request = FilterRequest("7", FilterKind.UNSUBSCRIBE_ALL)
    assert service.request(TICKET, "a", request, 0)[0] == Forget("a")
    assert len(service.subscriptions) == 0
    assert service.pushes == 0


def test_a_node_has_a_thousand_subscribers() -> None:
    service = FilterService()
    for peer in range(1_000):
        assert ask(service, str(peer), FilterKind.SUBSCRIBE, TOPIC).is_ok
    full = "SERVICE_UNAVAILABLE: node has reached maximum number of subscriptions: 1000"
    assert outcome(service, "one more", FilterKind.SUBSCRIBE, TOPIC) == (503, full)
    assert ask(service, "5", FilterKind.SUBSCRIBE, "another").is_ok
    assert len(pushes(service.relayed(SHARD, message(), 0))) == 1_000


def test_a_peer_has_a_thousand_criteria_and_may_renew_them() -> None:
    service = FilterService()
    for start in range(0, 1_000, 100):
        topics = map(str, range(start, start + 100))
        assert ask(service, "a", FilterKind.SUBSCRIBE, *topics).is_ok
    full = "SERVICE_UNAVAILABLE: peer has reached maximum number of filter criteria"
    assert outcome(service, "a", FilterKind.SUBSCRIBE, "0", "one more") == (503, full)
    assert outcome(service, "a", FilterKind.SUBSCRIBE, "0", "999") == (200, "OK")


def test_the_text_of_a_peers_criteria_is_bounded() -> None:
    service = FilterService()
    answers = []
    for start in range(0, 700, 100):
        topics = (str(number).zfill(1_000) for number in range(start, start + 100))
        answers.append(ask(service, "a", FilterKind.SUBSCRIBE, *topics).status)
    assert answers[:4] == [200] * 4
    assert answers[-1] == 503
    assert len(service.subscriptions.criteria_of("a")) == 100 * answers.count(200)


def test_the_text_of_all_criteria_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_delivery.core.light.subscriptions.MAX_BYTES", 1_000)
    table = Subscriptions()
    criteria = [Criterion("p", str(number)) for number in range(3)]
    assert table.add("a", criteria, 0) is None
    assert "node has reached" in (table.add("b", criteria, 0) or "")
    table.drop("a")
    assert table.add("b", criteria, 0) is None


def test_a_subscription_ends_five_minutes_after_the_last_request() -> None:
    service = FilterService()
    ask(service, "a", FilterKind.SUBSCRIBE, TOPIC, now_ms=0)
    ask(service, "b", FilterKind.SUBSCRIBE, TOPIC, now_ms=0)
    assert ask(service, "a", FilterKind.PING, now_ms=200_000).is_ok
    effects = service.relayed(SHARD, message(1), KEEP_MS)
    assert set(pushes(effects)) == {"a", "b"}
    for push in pushes(effects).values():
        service.pushed(push, KEEP_MS)

    # Before the sweep it does not count either.
    assert set(pushes(service.relayed(SHARD, message(2), KEEP_MS + 1))) == {"a"}
    assert ask(service, "b", FilterKind.PING, now_ms=KEEP_MS + 1).status == 404


def test_the_sweep_forgets_those_that_have_ended() -> None:
    service = FilterService()
    assert service.next_wake_ms() is None
    ask(service, "a", FilterKind.SUBSCRIBE, TOPIC, now_ms=0)
    woken = []
    while (wake_ms := service.next_wake_ms()) is not None:
        woken.append((wake_ms, service.tick(wake_ms)))
    assert woken == [(SWEEP_MS * n, []) for n in range(1, 6)] + [(SWEEP_MS * 6, [Forget("a")])]
    assert service.subscriptions.criteria == 0


def test_a_message_is_pushed_once_within_two_minutes() -> None:
    service = FilterService()
    ask(service, "a", FilterKind.SUBSCRIBE, TOPIC)
    assert pushes(service.relayed(SHARD, message(), 0))
    assert not pushes(service.relayed(SHARD, message(), 100_000))
    assert not pushes(service.relayed(SHARD, message(), 219_999))
    assert pushes(service.relayed(SHARD, Message(b"0", TOPIC, version=5), 339_999)) == {}
    ask(service, "a", FilterKind.SUBSCRIBE, TOPIC, now_ms=400_000)
    assert pushes(service.relayed(SHARD, message(), 400_000))


def test_a_late_push_ends_the_subscription_of_its_peer() -> None:
    service = FilterService()
    for peer in "ab":
        ask(service, peer, FilterKind.SUBSCRIBE, TOPIC)
    numbers = pushes(service.relayed(SHARD, message(), 0))
    service.pushed(numbers["b"], 5)

    assert service.next_wake_ms() == PUSH_TIMEOUT_MS
    assert service.tick(PUSH_TIMEOUT_MS - 1) == []
    assert service.tick(PUSH_TIMEOUT_MS) == [Forget("a")]
    assert ask(service, "a", FilterKind.PING, now_ms=PUSH_TIMEOUT_MS).status == 404
    assert ask(service, "b", FilterKind.PING, now_ms=PUSH_TIMEOUT_MS).is_ok
    assert service.push_failed(numbers["a"], PUSH_TIMEOUT_MS) == []


def test_a_failed_push_does_too_and_gives_up_the_others() -> None:
    service = FilterService()
    ask(service, "a", FilterKind.SUBSCRIBE, TOPIC)
    first = pushes(service.relayed(SHARD, message(1), 0))["a"]
    service.relayed(SHARD, message(2), 0)
    assert service.push_failed(first, 1) == [Forget("a")]
    assert service.pushes == 0
    assert "a" not in service.subscriptions


def test_a_peer_that_takes_nothing_is_dropped_at_64_pushes() -> None:
    service = FilterService()
    ask(service, "slow", FilterKind.SUBSCRIBE, TOPIC)
    ask(service, "fast", FilterKind.SUBSCRIBE, TOPIC)
    for number in range(MAX_PUSHES):
        service.pushed(pushes(service.relayed(SHARD, message(number), 0))["fast"], 0)
    effects = service.relayed(SHARD, message(MAX_PUSHES), 0)
    assert Forget("slow") in effects
    assert set(pushes(effects)) == {"fast"}


def test_the_slowest_are_dropped_where_too_much_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filter_service, "MAX_PUSHED_BYTES", 1_000)
    service = FilterService()
    for peer in ("slow", "fast"):
        ask(service, peer, FilterKind.SUBSCRIBE, TOPIC)

    dropped: list[Any] = []
    for number in range(20):
        effects = service.relayed(SHARD, Message(bytes(200), TOPIC, timestamp_ns=number + 1), 0)
        dropped += [each for each in effects if isinstance(each, Forget)]
        service.pushed(pushes(effects)["fast"], 0)

    assert dropped == [Forget("slow")]
    assert "fast" in service.subscriptions


def test_hashes_are_forgotten_after_a_time_and_beyond_a_number() -> None:
    seen = SeenHashes(keep_ms=10, max_hashes=3)
    assert [seen.add(each, 0) for each in (b"a", b"b", b"a")] == [True, True, False]
    assert not seen.add(b"a", 9)
    assert seen.add(b"b", 10)
    assert not seen.add(b"a", 18)
    for number in range(10):
        seen.add(bytes([number]), 18)
    assert len(seen) == 3


class Service(RuleBasedStateMachine):
    """The service against a model of it: who is subscribed to what, and what is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.service = FilterService(max_peers=3, max_criteria=3)
        self.now_ms = 0
        self.model: dict[str, tuple[int, set[str]]] = {}
        self.under_way: dict[int, tuple[str, int]] = {}
        self.sent = 0

    peers = st.sampled_from("abcd")
    topics = st.lists(st.sampled_from("wxyz"), min_size=1, max_size=4)

    def obey(self, effects: list[Any]) -> None:
        for each in effects:
            if isinstance(each, PushTo):
                assert each.deadline_ms == self.now_ms + PUSH_TIMEOUT_MS
                self.under_way[each.push] = (each.peer, each.deadline_ms)
            elif isinstance(each, Forget):
                self.model.pop(each.peer, None)
                self.under_way = {
                    push: of for push, of in self.under_way.items() if of[0] != each.peer
                }

    def is_subscribed(self, peer: str) -> bool:
        return peer in self.model and self.now_ms - self.model[peer][0] <= KEEP_MS

    @rule(peer=peers, topics=topics)
    def subscribe(self, peer: str, topics: list[str]) -> None:
        had = self.model[peer][1] if self.is_subscribed(peer) else set()
        others = set(self.model) - {peer}
        fits = len(had | set(topics)) <= 3 and (had or len(others) < 3)
        effects = self.service.request(
            TICKET, peer, FilterRequest("7", FilterKind.SUBSCRIBE, SHARD, tuple(topics)),
            self.now_ms,
        )  # fmt: skip
        self.obey(effects)
        assert effects[-1].value.status == (200 if fits else 503)  # type: ignore[union-attr]
        if fits:
            self.model[peer] = (self.now_ms, had | set(topics))

    @rule(peer=peers, topics=topics)
    def unsubscribe(self, peer: str, topics: list[str]) -> None:
        had = self.model[peer][1] if self.is_subscribed(peer) else set()
        effects = self.service.request(
            TICKET, peer, FilterRequest("7", FilterKind.UNSUBSCRIBE, SHARD, tuple(topics)),
            self.now_ms,
        )  # fmt: skip
        self.obey(effects)
        is_ok = set(topics) <= had
        assert effects[-1].value.status == (200 if is_ok else 404)  # type: ignore[union-attr]
        if had - set(topics):
            self.model[peer] = (self.now_ms, had - set(topics))
        else:
            assert peer not in self.model

    @rule(peer=peers)
    def ping(self, peer: str) -> None:
        is_subscribed = self.is_subscribed(peer)
        effects = self.service.request(
            TICKET, peer, FilterRequest("7", FilterKind.PING), self.now_ms
        )
        self.obey(effects)
        assert effects[-1].value.status == (200 if is_subscribed else 404)  # type: ignore[union-attr]
        if is_subscribed:
            self.model[peer] = (self.now_ms, self.model[peer][1])

    @rule(topic=st.sampled_from("wxyz"))
    def relay(self, topic: str) -> None:
        self.sent += 1
        wanted = {
            peer for peer, (_, topics) in self.model.items()
            if topic in topics and self.is_subscribed(peer)
        }  # fmt: skip
        effects = self.service.relayed(SHARD, message(self.sent, topic), self.now_ms)
        assert set(pushes(effects)) == wanted
        self.obey(effects)

    @rule(succeeds=st.booleans(), which=st.integers(0, 9))
    def push_ends(self, succeeds: bool, which: int) -> None:  # noqa: FBT001 -- Hypothesis names it
        if not self.under_way:
            return
        push = sorted(self.under_way)[which % len(self.under_way)]
        peer, _ = self.under_way.pop(push)
        if succeeds:
            self.obey(self.service.pushed(push, self.now_ms))
            return
        effects = self.service.push_failed(push, self.now_ms)
        assert effects == [Forget(peer)]
        self.obey(effects)

    @rule(gap_ms=st.sampled_from([1, 5_000, 20_000, 61_000, 290_000]))
    def wait(self, gap_ms: int) -> None:
        until_ms = self.now_ms + gap_ms
        while (wake_ms := self.service.next_wake_ms()) is not None and wake_ms <= until_ms:
            self.now_ms = max(self.now_ms, wake_ms)
            self.obey(self.service.tick(self.now_ms))
            assert self.service.next_wake_ms() != wake_ms
        self.now_ms = until_ms

    @invariant()
    def they_agree(self) -> None:
        assert {
            peer: {each.content_topic for each in self.service.subscriptions.criteria_of(peer)}
            for peer in self.service.subscriptions.peers
        } == {peer: topics for peer, (_, topics) in self.model.items()}
        assert self.service.pushes == len(self.under_way)
        assert all(deadline_ms > self.now_ms for _, deadline_ms in self.under_way.values())
        every = {each for _, topics in self.model.values() for each in topics}
        assert self.service.subscriptions.criteria == len(every)


TestService = Service.TestCase
TestService.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
