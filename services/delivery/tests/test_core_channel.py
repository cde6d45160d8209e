from collections.abc import Iterable

import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.channels.channel import Channel
from logos_delivery.core.channels.channel_types import (
    ChannelConfig,
    Commit,
    Delivered,
    DeliveryFailed,
    Discarded,
    Dispatch,
    Effect,
    Event,
    HistoryLost,
    Received,
    SendFailed,
    Sent,
    channel_config,
)
from logos_delivery.core.channels.errors import (
    ChannelFullError,
    ChannelPayloadTooLargeError,
    ChannelStateError,
)
from logos_delivery.core.channels.pace import Pace
from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, decode, encode
from logos_delivery.core.channels.sds_types import Fetch, IgnoreReason, SdsConfig
from logos_delivery.core.errors import PayloadEmptyError

T0 = 1_760_000_000_000
TICKET = Ticket(1)


class Party:
    """A channel with a store that a crash leaves as it is, and the wire in the test's hands."""

    def __init__(self, name: str, *, pace: Pace | None = None, **settings: float) -> None:
        self.config = channel_config("channel", name, **{"segment_bytes": 64, **settings})
        self.pace = pace
        self.records: dict[str, bytes] = {}
        self.events: list[Event] = []
        self.out: list[Dispatch] = []
        self.others: list[object] = []
        self.now_ms = T0
        self.start()

    def start(self) -> None:
        self.out = []
        self.channel = Channel(self.config, dict(self.records), self.now_ms, self.pace)
        self.obey(self.channel.start(self.now_ms))

    def obey(self, effects: Iterable[Effect | Answer | Refuse]) -> None:
        """Checks that nothing leaves before it is saved (CHN-27)."""
        has_left = False
        for effect in effects:
            match effect:
                case Commit(changes=changes, events=events):
                    assert not has_left
                    for key, value in changes.items():
                        if value is None:
                            self.records.pop(key, None)
                        else:
                            self.records[key] = value
                    self.events += events
                case Dispatch():
                    has_left = True
                    self.out.append(effect)
                case _:
                    has_left = True
                    self.others.append(effect)

    def send(self, request: str, payload: bytes) -> None:
        self.obey(self.channel.send(TICKET, request, payload, self.now_ms))

    def leave(self, *, report: bool = True) -> list[Dispatch]:
        """Takes what is to be sent, and reports that it was."""
        left, self.out = self.out, []
        for each in left if report else ():
            self.obey(self.channel.dispatched(each.key, each.key.encode()[:32], self.now_ms))
        return left

    def get(self, dispatches: Iterable[Dispatch]) -> None:
        for each in dispatches:
            self.obey(self.channel.received(each.content, b"hash", self.now_ms))

    def wait(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        for _ in range(10_000):
            wake_ms = self.channel.next_wake_ms()
            if wake_ms is None or wake_ms > end_ms:
                self.now_ms = end_ms
                return
            self.now_ms = max(self.now_ms, wake_ms)
            self.obey(self.channel.tick(self.now_ms))
        raise AssertionError("time stands still")

    def content_out(self) -> list[Dispatch]:
        return [each for each in self.out if decode(each.content).content]


def exchange(one: Party, other: Party, ms: int) -> None:
    """Lets time pass for two parties with an ideal wire."""
    for _ in range(ms // 100):
        other.get(one.leave())
        one.get(other.leave())
        one.wait(100)
        other.wait(100)


class TestSending:
    def test_a_payload_is_answered_sent_and_delivered(self) -> None:
        """CHN-26."""
        alice, bob = Party("alice"), Party("bob")

        alice.send("Req_a", bytes(range(200)))
        assert alice.others == [Answer(TICKET, "Req_a")]
        assert [each.key for each in alice.out] == [f"Req_a:{number}" for number in range(1, 5)]
        exchange(alice, bob, 5_000)

        assert alice.events == [Sent("Req_a"), Delivered("Req_a")]
        assert bob.events == [Received("alice", bytes(range(200)))]
        assert [key for key in alice.records if key[0] in "or"] == []
        assert [key for key in bob.records if key[0] in "ps"] == []

    def test_the_same_payload_twice_is_received_twice(self) -> None:
        alice, bob = Party("alice", parity_rate=0.5), Party("bob")

        for number in range(4):
            alice.send(f"r{number}", b"x" * (200 if number > 1 else 5))
            exchange(alice, bob, 3_000)

        assert len(bob.events) == 4

    def test_an_acknowledgement_that_overtakes_the_report_counts_as_sent(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        alice.send("r", b"x")
        left = alice.leave(report=False)

        bob.get(left)
        bob.wait(2_000)
        alice.get(bob.leave())
        alice.obey(alice.channel.dispatched("r:1", b"", alice.now_ms))

        assert alice.events == [Sent("r"), Delivered("r")]

    def test_without_acknowledgement_it_ends_in_a_delivery_error(self) -> None:
        """CHN-19."""
        alice = Party("alice")
        alice.send("r", bytes(100))
        sent: list[Dispatch] = []

        for _ in range(40):
            sent += alice.leave()
            alice.wait(1_000)

        keys = [each.key for each in sent if decode(each.content).content]
        assert len(keys) == len(set(keys)) == 2 * 6
        error = "segment 1 was not acknowledged"
        assert alice.events == [Sent("r"), DeliveryFailed("r", error)]
        assert [key for key in alice.records if key[0] in "or"] == []

    def test_a_segment_that_cannot_be_sent_ends_it(self) -> None:
        alice = Party("alice")
        alice.send("r", bytes(200))
        keys = [each.key for each in alice.out]

        alice.obey(alice.channel.dispatched(keys[0], b"", alice.now_ms))
        alice.obey(alice.channel.not_dispatched(keys[1], "no peers", alice.now_ms))
        alice.obey(alice.channel.not_dispatched(keys[2], "no peers", alice.now_ms))
        alice.obey(alice.channel.dispatched(keys[3], b"", alice.now_ms))
        alice.out = []
        alice.wait(30_000)

        assert alice.events == [SendFailed("r", "no peers")]
        assert alice.content_out() == []

    def test_a_repetition_that_cannot_be_sent_is_repeated(self) -> None:
        alice = Party("alice")
        alice.send("r", b"x")
        alice.leave()
        alice.wait(5_000)
        (again,) = alice.content_out()
        alice.out = []

        alice.obey(alice.channel.not_dispatched(again.key, "no peers", alice.now_ms))
        alice.wait(5_000)

        assert len(alice.content_out()) == 1
        assert alice.events == [Sent("r")]

    def test_reports_of_unknown_keys_change_nothing(self) -> None:
        alice = Party("alice")

        assert alice.channel.dispatched("r:1", b"", T0) == []
        assert alice.channel.not_dispatched("r:1", "", T0) == []

    def test_an_ephemeral_payload_ends_with_sent_or_an_error(self) -> None:
        """CHN-11."""
        alice, bob = Party("alice"), Party("bob")
        for request in ("r", "s"):
            alice.obey(alice.channel.send_ephemeral(TICKET, request, bytes(100), T0))
        left = alice.out
        assert all(each.is_ephemeral for each in left)
        bob.get(left[:2])

        for each in left[:3]:
            alice.obey(alice.channel.dispatched(each.key, b"", T0))
        alice.obey(alice.channel.not_dispatched(left[3].key, "no peers", T0))
        alice.out = []
        alice.wait(60_000)

        assert alice.events == [Sent("r"), SendFailed("s", "no peers")]
        assert bob.events == [Received("alice", bytes(100))]
        assert (alice.out, bob.out) == ([], [])

    def test_what_cannot_be_accepted_is_refused_and_changes_nothing(self) -> None:
        alice = Party("alice")
        before = dict(alice.records)

        with pytest.raises(PayloadEmptyError, match="empty payload"):
            alice.send("r", b"")
        with pytest.raises(ChannelPayloadTooLargeError):
            alice.send("r", bytes(64 * 255 + 1))
        assert (alice.records, alice.out) == (before, [])

        alice.send("r", b"x")
        with pytest.raises(ValueError, match="under way"):
            alice.send("r", b"x")

    def test_a_channel_takes_no_more_than_it_may_hold(self) -> None:
        """CHN-25."""
        config = ChannelConfig(SdsConfig("channel", "alice"), 64, outgoing_bytes=1000)
        channel = Channel(config, {}, T0)
        channel.start(T0)
        channel.send(TICKET, "r", bytes(300), T0)

        with pytest.raises(ChannelFullError):
            channel.send(TICKET, "s", bytes(300), T0)


class TestPace:
    def test_no_more_than_the_budget_leaves_in_an_epoch(self) -> None:
        """CHN-24."""
        pace = Pace(3, epoch_ms=10_000)
        alice, carol = Party("alice", pace=pace), Party("carol", pace=pace)

        alice.send("r", bytes(64 * 5))
        carol.send("s", b"x")

        assert (len(alice.leave()), len(carol.leave())) == (3, 0)
        alice.wait(10_000)
        carol.wait(10_000)
        assert len(alice.leave()) + len(carol.leave()) == 3
        assert pace.next_ms() == T0 + 20_000

    def test_what_was_acknowledged_meanwhile_is_not_sent_again(self) -> None:
        alice, bob = Party("alice", pace=Pace(1, epoch_ms=20_000)), Party("bob")
        alice.send("r", b"x")
        bob.get(alice.leave())
        alice.wait(6_000)
        bob.wait(6_000)
        assert alice.out == []

        alice.get(bob.leave())
        alice.wait(20_000)

        assert alice.content_out() == []


class TestReceiving:
    def test_parity_makes_up_for_lost_segments_at_once(self) -> None:
        """CHN-8: what waits for the lost ones alone is released."""
        alice, bob = Party("alice", parity_rate=0.5), Party("bob")
        alice.send("r", bytes(range(250)))
        alice.send("s", b"after")
        left = alice.leave()
        assert len(left) == 7

        bob.get([left[0], *left[3:]])

        assert bob.events == [Received("alice", bytes(range(250))), Received("alice", b"after")]
        bob.get(left)
        assert len(bob.events) == 2
        assert [key for key in bob.records if key[0] in "ps"] == []

    def test_parity_does_not_overtake_what_the_payload_follows(self) -> None:
        alice, bob = Party("alice", parity_rate=0.5), Party("bob")
        alice.send("q", b"before")
        alice.send("r", bytes(range(250)))
        first, *left = alice.leave()

        bob.get([left[0], *left[3:]])
        assert bob.events == []
        bob.get([first])

        assert bob.events == [Received("alice", b"before"), Received("alice", bytes(range(250)))]

    def test_parity_waits_for_the_first_segment_which_says_what_it_follows(self) -> None:
        alice, bob = Party("alice", parity_rate=0.5), Party("bob")
        alice.send("r", bytes(range(250)))
        left = alice.leave()

        bob.get(left[2:])
        assert bob.events == []
        bob.get([left[0]])

        assert bob.events == [Received("alice", bytes(range(250)))]

    def test_what_is_no_segment_is_discarded(self) -> None:
        bob = Party("bob")
        content = encode(SdsMessage("alice", "m", "channel", T0, content=b"\xff"))

        bob.obey(bob.channel.received(content, b"", T0))
        bob.obey(bob.channel.received(b"\xff", b"", T0))

        assert bob.others == [Discarded(None), Discarded(IgnoreReason.MALFORMED)]
        assert bob.events == []

    def test_missing_messages_are_looked_for_and_given_up(self) -> None:
        bob = Party("bob")
        history = (HistoryEntry("gone", b"hash"),)
        content = encode(SdsMessage("alice", "m", "channel", T0, history, content=b"\xff"))

        bob.obey(bob.channel.received(content, b"", T0))
        bob.wait(400_000)

        assert Fetch((b"hash",)) in bob.others
        assert bob.events == [HistoryLost(("gone",))]


class TestRestart:
    """CHN-27: a node that is killed loses nothing that it has accepted."""

    def test_what_was_accepted_is_sent_after_a_kill(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        alice.send("r", bytes(range(200)))

        alice.start()
        exchange(alice, bob, 5_000)

        assert alice.events == [Sent("r"), Delivered("r")]
        assert bob.events == [Received("alice", bytes(range(200)))]

    def test_an_ephemeral_payload_that_was_not_sent_ends_in_an_error(self) -> None:
        alice = Party("alice")
        alice.obey(alice.channel.send_ephemeral(TICKET, "r", b"x", T0))

        alice.start()

        (event,) = alice.events
        assert isinstance(event, SendFailed)
        assert alice.out == []

    @pytest.mark.parametrize("parity_rate", [0.0, 0.5])
    @pytest.mark.parametrize("at", range(6))
    def test_a_payload_is_received_once_wherever_its_receiver_is_killed(
        self, parity_rate: float, at: int
    ) -> None:
        alice, bob = Party("alice", parity_rate=parity_rate), Party("bob")
        alice.send("q", b"before")
        alice.send("r", bytes(range(250)))
        left = alice.leave()
        order = [*left[3:], *left[:3]]

        bob.get(order[:at])
        bob.start()
        bob.get(order[at:])
        bob.start()
        bob.get(left)

        assert bob.events == [Received("alice", b"before"), Received("alice", bytes(range(250)))]
        assert [key for key in bob.records if key[0] in "ps"] == []

    def test_the_history_goes_on_where_it_was(self) -> None:
        alice = Party("alice")
        alice.send("r", b"x")
        first = decode(alice.leave()[0].content)

        alice.start()
        alice.out = []
        alice.send("s", b"y")
        second = decode(alice.out[-1].content)

        assert [entry.message_id for entry in second.history] == [first.message_id]
        assert second.history[0].hint == b"r:1"
        assert (second.lamport or 0) > (first.lamport or 0)

    def test_a_restart_without_news_saves_nothing(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        alice.send("r", bytes(100))
        bob.get(alice.leave())
        before = dict(bob.records)

        channel = Channel(bob.config, dict(before), bob.now_ms)

        assert channel.start(bob.now_ms) == []

    @pytest.mark.parametrize("key", ["c", "l/x", "o/x", "p/x", "r/x", "s/x", "f"])
    def test_a_record_that_cannot_be_read_is_named(self, key: str) -> None:
        with pytest.raises(ChannelStateError, match=key):
            Channel(channel_config("channel", "alice"), {key: b"\xff"}, T0).start(T0)
