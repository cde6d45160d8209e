"""DST-36, DST-38, DST-39: the reconciliations of a node, and of two that talk."""

from collections import deque
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.message import Message
from logos_delivery.core.sync import transfer
from logos_delivery.core.sync.errors import (
    SyncBusyError,
    SyncLostError,
    SyncPayloadMalformedError,
    SyncStalledError,
    TransferMalformedError,
    TransferUnwantedError,
)
from logos_delivery.core.sync.syncing import (
    ARRIVAL_MS,
    INTERVAL_MS,
    MAX_SESSIONS,
    STALL_MS,
    Blame,
    Close,
    Effect,
    Give,
    Open,
    Report,
    Send,
    Sync,
    Take,
)
from logos_delivery.core.sync.types import ItemSet, Payload, Scope, between
from logos_delivery.core.sync.wire import encode

NOW = 1_800_000_000_000
SHARD = "/waku/2/rs/3/0"
TOPIC = "/a/1/b/c"


def entry(number: int, age_ms: int = 600_000) -> Entry:
    time_ns = (NOW - age_ms) * 1_000_000 + number
    return Entry.of(SHARD, Message(str(number).encode(), TOPIC, timestamp_ns=time_ns))


def keep(sync: Sync, one: Entry, now_ms: int = NOW) -> list[Effect]:
    return sync.kept(one.position, one.pubsub_topic, one.kept.content_topic, now_ms)


class Node:
    """A machine and what it asks for; the archive is a dictionary."""

    def __init__(self, name: str, entries: list[Entry], **options: Any) -> None:
        self.name = name
        self.sync = Sync(NOW, interval_ms=0, **options)
        self.archive: dict[bytes, Entry] = {}
        self.answers: list[object] = []
        self.blamed: list[Exception] = []
        for one in entries:
            self.store(one)

    def store(self, one: Entry) -> list[Effect]:
        self.archive[one.hash] = one
        return keep(self.sync, one)

    def note(self, effect: Effect) -> None:
        match effect:
            case Blame(_, error):
                self.blamed.append(error)
            case Answer(_, value):
                self.answers.append(value)
            case Refuse(_, error):
                self.answers.append(error)


class Pair:
    """Two nodes and what is under way between them, in order; nothing takes time."""

    def __init__(self, ours: Node, theirs: Node) -> None:
        self.nodes = (ours, theirs)
        self.inputs: deque[tuple[Node, Any, tuple[Any, ...]]] = deque()
        self.streams = count(1)
        self.transferred = 0

    def other(self, node: Node) -> Node:
        return self.nodes[1] if node is self.nodes[0] else self.nodes[0]

    def run(self, node: Node, effects: list[Effect]) -> None:
        self.obey(node, effects)
        while self.inputs:
            node, step, args = self.inputs.popleft()
            self.obey(node, step(*args, NOW))

    def obey(self, node: Node, effects: list[Effect]) -> None:
        other = self.other(node)
        for effect in effects:
            match effect:
                case Open():
                    stream = next(self.streams)
                    self.inputs.append((other, other.sync.opened, (stream, node.name)))
                    self.inputs.append((node, node.sync.connected, (stream, other.name)))
                case Send(stream, raw):
                    self.inputs.append((other, other.sync.received, (stream, raw)))
                case Close(stream):
                    self.inputs.append((other, other.sync.closed, (stream,)))
                case Give(_, hashes):
                    for one in hashes:
                        self.transferred += 1
                        raw = transfer.encode(node.archive[one])
                        self.inputs.append((other, other.sync.transferred, (node.name, raw)))
                case Take(_, one):
                    self.inputs.append((node, lambda one, _, node=node: node.store(one), (one,)))
                case _:
                    node.note(effect)


def test_two_nodes_have_the_same_messages_after_a_reconciliation() -> None:
    shared = [entry(number) for number in range(500)]
    ours = Node("ours", shared + [entry(number) for number in range(500, 520)])
    theirs = Node("theirs", shared + [entry(number) for number in range(520, 525)])
    pair = Pair(ours, theirs)

    pair.run(ours, ours.sync.start(Ticket(1), "theirs", NOW))

    assert ours.archive == theirs.archive
    assert pair.transferred == 25
    assert ours.blamed == theirs.blamed == []
    (report,) = ours.answers
    assert isinstance(report, Report)
    assert (report.peer, report.received, report.sent) == ("theirs", 5, 20)
    assert 0 < report.size_bytes < 60_000
    assert ours.sync.next_wake_ms() is not None  # the gate is still open


def test_an_empty_node_gets_all_and_says_how_many() -> None:
    ours, theirs = Node("ours", []), Node("theirs", [entry(number) for number in range(300)])
    pair = Pair(ours, theirs)

    pair.run(ours, ours.sync.start(Ticket(1), "", NOW))

    assert ours.archive == theirs.archive
    (report,) = ours.answers
    assert isinstance(report, Report)
    assert report.received == 300


def test_what_is_too_old_too_new_or_of_another_topic_is_not_compared() -> None:
    other = Entry.of("/waku/2/rs/3/1", entry(1).kept)
    entries = [entry(1, 3_700_000), entry(2, 5_000), entry(3), other]
    ours = Node("ours", entries, scope=Scope(frozenset({SHARD})))
    theirs = Node("theirs", [])
    pair = Pair(ours, theirs)

    pair.run(ours, ours.sync.start(Ticket(1), "", NOW))

    assert list(theirs.archive) == [entry(3).hash]
    assert len(ours.sync) == 2


def test_a_reconciliation_begins_at_its_interval_and_what_is_old_is_forgotten() -> None:
    sync = Sync(NOW)
    keep(sync, entry(1, 3_500_000))
    keep(sync, entry(2))

    assert sync.next_wake_ms() == NOW + INTERVAL_MS
    assert sync.tick(NOW + INTERVAL_MS - 1) == []
    assert sync.tick(NOW + INTERVAL_MS) == [Open("")]
    assert len(sync) == 1
    assert sync.not_connected(SyncLostError("no store node"), NOW + INTERVAL_MS) == []
    assert sync.next_wake_ms() == NOW + 2 * INTERVAL_MS


def test_a_node_begins_only_one_at_a_time() -> None:
    sync = Sync(NOW, interval_ms=STALL_MS // 2)
    sync.start(Ticket(1), "peer", NOW)

    with pytest.raises(SyncBusyError):
        sync.start(Ticket(2), "other", NOW)
    sync.connected(7, "peer", NOW)
    with pytest.raises(SyncBusyError):
        sync.start(Ticket(2), "other", NOW)
    assert sync.tick(NOW + STALL_MS // 2) == []
    assert sync.next_wake_ms() == NOW + STALL_MS


def test_a_stream_that_is_not_opened_refuses_its_caller() -> None:
    sync = Sync(NOW, interval_ms=0)
    sync.start(Ticket(1), "peer", NOW)
    lost = SyncLostError("no route")
    assert sync.not_connected(lost, NOW) == [Refuse(Ticket(1), lost)]

    sync.start(Ticket(2), "peer", NOW)
    assert sync.next_wake_ms() == NOW + STALL_MS
    (refused,) = sync.tick(NOW + STALL_MS)
    assert isinstance(refused, Refuse)
    assert sync.next_wake_ms() is None


def test_a_peer_that_is_silent_is_left_without_blame() -> None:
    sync = Sync(NOW, interval_ms=0)
    sync.start(Ticket(1), "peer", NOW)
    sync.connected(7, "peer", NOW)
    sync.opened(8, "other", NOW)

    assert sync.tick(NOW + STALL_MS - 1) == []
    closed, refused, other = sync.tick(NOW + STALL_MS)

    assert (closed, other) == (Close(7), Close(8))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, SyncStalledError)
    assert sync.received(7, b"\0", NOW + STALL_MS) == []


def test_a_payload_that_breaks_a_rule_ends_the_session_and_its_gate() -> None:
    sync = Sync(NOW, interval_ms=0)
    sync.start(Ticket(1), "peer", NOW)
    sync.connected(7, "peer", NOW)

    blame, closed, refused = sync.received(7, b"\xff" * 30, NOW)

    assert isinstance(blame, Blame)
    assert isinstance(blame.error, SyncPayloadMalformedError)
    assert closed == Close(7)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, SyncPayloadMalformedError)
    assert isinstance(sync.transferred("peer", transfer.encode(entry(1)), NOW)[0], Blame)


def test_a_stream_that_breaks_refuses_its_caller() -> None:
    sync = Sync(NOW, interval_ms=0)
    sync.start(Ticket(1), "peer", NOW)
    sync.connected(7, "peer", NOW)

    closed, refused = sync.closed(7, NOW)

    assert closed == Close(7)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, SyncLostError)
    assert sync.closed(7, NOW) == sync.closed(99, NOW) == []
    assert sync.start(Ticket(2), "peer", NOW) == [Open("peer")]


def test_sessions_are_bounded_and_each_peer_has_one() -> None:
    sync = Sync(NOW, interval_ms=0)

    for number in range(MAX_SESSIONS):
        assert sync.opened(number, f"peer{number}", NOW) == []

    assert sync.opened(90, "one more", NOW) == [Close(90)]
    sync.closed(0, NOW)
    assert sync.opened(91, "peer1", NOW) == [Close(91)]
    assert sync.opened(92, "one more", NOW) == []


def test_two_that_begin_at_once_do_not_both_run() -> None:
    sync = Sync(NOW, interval_ms=0)
    sync.start(Ticket(1), "peer", NOW)
    sync.opened(7, "peer", NOW)

    closed, refused = sync.connected(8, "peer", NOW)

    assert closed == Close(8)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, SyncBusyError)


def test_transfers_come_in_only_while_the_gate_of_their_peer_is_open() -> None:
    sync = Sync(NOW, interval_ms=0)
    raw = transfer.encode(entry(1))

    (blame,) = sync.transferred("peer", raw, NOW)
    assert isinstance(blame, Blame)
    assert isinstance(blame.error, TransferUnwantedError)

    sync.opened(7, "peer", NOW)
    assert sync.transferred("peer", raw, NOW) == [Take("peer", entry(1))]
    assert isinstance(sync.transferred("other", raw, NOW)[0], Blame)
    sync.closed(7, NOW)
    assert sync.transferred("peer", raw, NOW + 1) == [Take("peer", entry(1))]
    closes_ms = NOW + 1 + transfer.LINGER_MS
    assert sync.next_wake_ms() == closes_ms
    assert isinstance(sync.transferred("peer", raw, closes_ms)[0], Blame)
    sync.tick(closes_ms)
    assert sync.next_wake_ms() is None


def test_a_transfer_that_breaks_a_rule_ends_all_with_its_peer() -> None:
    sync = Sync(NOW, interval_ms=0)
    sync.opened(7, "peer", NOW)

    blame, closed = sync.transferred("peer", b"\xff", NOW)

    assert isinstance(blame, Blame)
    assert isinstance(blame.error, TransferMalformedError)
    assert closed == Close(7)
    sync.opened(8, "peer", NOW)
    sync.closed(8, NOW)
    assert len(sync.transferred("peer", b"\xff", NOW)) == 1
    assert isinstance(sync.transferred("peer", transfer.encode(entry(1)), NOW)[0], Blame)


def test_a_caller_is_answered_although_messages_do_not_come() -> None:
    ours, theirs = Node("ours", []), Node("theirs", [entry(1), entry(2)])
    pair = Pair(ours, theirs)
    theirs.archive[entry(2).hash] = entry(99)  # what is sent is not what was named

    pair.run(ours, ours.sync.start(Ticket(1), "", NOW))
    assert ours.answers == []
    pair.run(ours, ours.sync.tick(NOW + ARRIVAL_MS - 1))
    assert ours.answers == []
    pair.run(ours, ours.sync.tick(NOW + ARRIVAL_MS))

    (report,) = ours.answers
    assert isinstance(report, Report)
    assert report.received == 1
    pair.run(ours, ours.sync.tick(NOW + 2 * ARRIVAL_MS))
    assert len(ours.answers) == 1


def test_a_fingerprint_can_be_forged_by_the_other_node() -> None:
    """DST-40: what the sum of hashes hides is not found; nothing wrong comes in."""
    hidden = entry(1)
    ours, theirs = Node("ours", []), Node("theirs", [hidden])
    forged = hidden.kept.timestamp_ns + 1
    position = hidden.position._replace(timestamp_ns=forged)
    theirs.sync.kept(position, SHARD, TOPIC, NOW)
    pair = Pair(ours, theirs)

    pair.run(ours, ours.sync.start(Ticket(1), "", NOW))

    assert ours.archive == {}


peers = st.sampled_from(["a", "b", "c"])
streams = st.integers(0, 4)
payloads = st.binary(max_size=60) | st.lists(st.integers(1, 5), max_size=4).map(
    lambda numbers: encode(
        Payload(
            ranges=(
                ItemSet(
                    between((NOW - 700_000) * 1_000_000, NOW * 1_000_000),
                    tuple(sorted({entry(number).position for number in numbers})),
                    is_reconciled=len(numbers) % 2 == 0,
                ),
            )
        )
    )
)
transfers = st.binary(max_size=60) | st.integers(1, 9).map(
    lambda number: transfer.encode(entry(number))
)


class Hostile(RuleBasedStateMachine):
    """Inputs in any order and from any peer: no error is raised, and nothing stays open."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.sync = Sync(NOW, interval_ms=120_000)
        self.open: set[int] = set()
        self.asked: set[int] = set()
        self.tickets = count(1)
        self.streams = count(100)

    def obey(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Close(stream):
                    self.open.discard(stream)
                case Send(stream):
                    assert stream in self.open
                case Answer(ticket) | Refuse(ticket):
                    self.asked.remove(ticket)
                case _:
                    pass

    @rule(peer=peers, is_ours=st.booleans())
    def a_stream_opens(self, peer: str, is_ours: bool) -> None:  # noqa: FBT001 -- drawn
        stream = next(self.streams)
        self.open.add(stream)
        step = self.sync.connected if is_ours else self.sync.opened
        self.obey(step(stream, peer, self.now))

    @rule(data=st.data(), raw=payloads)
    def a_payload_comes(self, data: st.DataObject, raw: bytes) -> None:
        stream = data.draw(st.sampled_from([*sorted(self.open), 7]))
        self.obey(self.sync.received(stream, raw, self.now))

    @rule(data=st.data())
    def a_stream_closes(self, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from([*sorted(self.open), 7]))
        self.obey(self.sync.closed(stream, self.now))

    @rule(peer=peers, raw=transfers)
    def a_message_comes(self, peer: str, raw: bytes) -> None:
        self.obey(self.sync.transferred(peer, raw, self.now))

    @rule(number=st.integers(1, 9))
    def a_message_is_kept(self, number: int) -> None:
        self.obey(keep(self.sync, entry(number), self.now))

    @rule(peer=peers)
    def it_is_asked(self, peer: str) -> None:
        ticket = Ticket(next(self.tickets))
        try:
            effects = self.sync.start(ticket, peer, self.now)
        except SyncBusyError:
            return
        self.asked.add(ticket)
        self.obey(effects)

    @rule()
    def no_stream_opens(self) -> None:
        self.obey(self.sync.not_connected(SyncLostError("no route"), self.now))

    @rule(step_ms=st.sampled_from([1, 5_000, 40_000, 130_000]))
    def time_passes(self, step_ms: int) -> None:
        self.now += step_ms
        self.obey(self.sync.tick(self.now))
        wake_ms = self.sync.next_wake_ms()
        assert wake_ms is not None
        assert wake_ms > self.now

    def teardown(self) -> None:
        """Each caller is answered, even if nothing more happens."""
        for _ in range(10):
            self.now += 40_000
            self.obey(self.sync.tick(self.now))
        assert self.asked == set()
        assert self.open == set()


@pytest.mark.property
def test_no_peer_can_hurt_a_node() -> None:
    run_state_machine_as_test(Hostile, settings=settings(max_examples=40, stateful_step_count=40))
