"""The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.channels import bloom
from logos_delivery.core.channels.journal import Journal
from logos_delivery.core.channels.repair import FETCH_AFTER_MS, Times, request_delay_ms
from logos_delivery.core.channels.sds import (
    JOIN_SLACK_MS,
    MAX_AHEAD_MS,
    RECEIPTS_PER_SYNC,
    SYNC_HISTORY,
    Sds,
)
from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, decode, encode
from logos_delivery.core.channels.sds_outgoing import Patience
from logos_delivery.core.channels.sds_receipts import MAX_DELAY_MS
from logos_delivery.core.channels.sds_types import (
    Acknowledged,
    Deliver,
    Effect,
    Fetch,
    Ignored,
    IgnoreReason,
    Lost,
    NotAcknowledged,
    Park,
    SdsConfig,
    Transmit,
)

T0 = 1_760_000_000_000
TIMES = Times()


class Party:
    """One participant, with the wire in the test's hands."""

    def __init__(self, name: str, *, now_ms: int = T0, **settings: Any) -> None:
        settings.setdefault("sync_ms", 0)
        self.name = name
        self.journal = Journal()
        self.sds = Sds(SdsConfig("channel", name, **settings), self.journal, now_ms)
        self.now_ms = now_ms

    def send(self, content: bytes) -> bytes:
        self.now_ms += 1
        return self.sds.send(content, "request", 1, self.now_ms).raw

    def get(self, *raws: bytes, hint: bytes = b"") -> list[Effect]:
        self.now_ms += 1
        return [effect for raw in raws for effect in self.sds.receive(raw, hint, self.now_ms)]

    def until(self, now_ms: int) -> list[Effect]:
        """Obeys its wakes up to a time."""
        effects: list[Effect] = []
        for _ in range(10_000):
            wake_ms = self.sds.next_wake_ms()
            if wake_ms is None or wake_ms > now_ms:
                self.now_ms = now_ms
                return effects
            self.now_ms = max(self.now_ms, wake_ms)
            effects += self.sds.tick(self.now_ms)
        raise AssertionError("time stands still")

    def wait(self, ms: int) -> list[Effect]:
        return self.until(self.now_ms + ms)


def contents(effects: Iterable[Effect]) -> list[bytes]:
    return [effect.message.content for effect in effects if isinstance(effect, Deliver)]


def sent(effects: Iterable[Effect]) -> list[SdsMessage]:
    return [decode(effect.raw) for effect in effects if isinstance(effect, Transmit)]


def syncs(effects: Iterable[Effect]) -> list[bytes]:
    return [encode(each) for each in sent(effects) if not each.content]


def made(name: str, **changes: Any) -> bytes:
    fields = {"lamport": T0, "content": name.encode(), **changes}
    return encode(SdsMessage("peer", name, "channel", **fields))


class TestSending:
    def test_time_is_lamport_s_and_near_the_clock(self) -> None:
        """CHN-12."""
        alice = Party("alice")

        times = [decode(alice.sds.send(b"x", "r", 1, T0 + 50).raw).lamport for _ in range(3)]
        later = decode(alice.sds.send(b"x", "r", 1, T0 + 1000).raw).lamport

        assert times == [T0 + 50, T0 + 51, T0 + 52]
        assert later == T0 + 1000

    def test_a_message_names_the_last_two_before_it(self) -> None:
        alice = Party("alice")
        names = [decode(alice.send(bytes([number]))).message_id for number in range(3)]

        history = decode(alice.send(b"x")).history

        assert history == tuple(HistoryEntry(one, b"", "alice") for one in names[1:])

    def test_a_message_names_all_that_were_sent_at_once(self) -> None:
        """CHN-13: two names alone would lose the third of three concurrent messages."""
        alice = Party("alice")
        raws = [made(f"m{number}", lamport=T0 + number) for number in range(4)]
        alice.get(*raws)

        history = decode(alice.send(b"x")).history
        after = decode(alice.send(b"y")).history

        assert [entry.message_id for entry in history] == ["m0", "m1", "m2", "m3"]
        assert len(after) == 2

    def test_the_names_have_hints_once_they_are_known(self) -> None:
        alice = Party("alice")
        one = alice.sds.send(b"x", "r", 1, T0)
        alice.sds.sent(one.message_id, b"first", T0)
        alice.sds.sent(one.message_id, b"second", T0)
        alice.get(made("m", lamport=T0 + 5), hint=b"third")

        history = decode(alice.send(b"y")).history

        assert [entry.hint for entry in history] == [b"first", b"third"]

    def test_the_filter_holds_what_was_received_and_may_be_off(self) -> None:
        alice, bob = Party("alice"), Party("bob", filter_bytes=0)
        raw = made("m")
        alice.get(raw)
        bob.get(raw)

        assert "m" in bloom.decode(decode(alice.send(b"x")).bloom)
        assert decode(bob.send(b"x")).bloom == b""

    def test_an_ephemeral_message_has_none_of_it_and_is_delivered_at_once(self) -> None:
        """CHN-11."""
        alice, bob = Party("alice"), Party("bob")
        bob.send(b"first")

        made_ = bob.sds.ephemeral(b"now", T0)
        message = decode(made_.raw)

        assert (message.lamport, message.history, message.bloom) == (None, (), b"")
        assert contents(alice.get(made_.raw)) == [b"now"]
        assert alice.sds.next_wake_ms() is None
        assert len(alice.sds.log) == 0


class TestOrder:
    def test_what_follows_is_delivered_after_what_it_follows(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        one, two, three = (alice.send(bytes([number])) for number in (1, 2, 3))

        assert bob.get(three) == [Park(decode(three))]
        assert bob.get(two) == [Park(decode(two))]
        assert contents(bob.get(one)) == [b"\x01", b"\x02", b"\x03"]
        assert len(bob.sds.parked) == 0

    @given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
    def test_every_order_of_arrival_gives_the_order_of_sending(
        self, order: list[int], again: list[int]
    ) -> None:
        alice, bob = Party("alice"), Party("bob")
        raws = [alice.send(bytes([number])) for number in range(6)]

        effects = bob.get(*(raws[number] for number in [*order, *again]))

        assert contents(effects) == [bytes([number]) for number in range(6)]

    def test_messages_of_one_time_are_in_the_order_of_their_ids(self) -> None:
        """LIP SDS, resolve conflicts."""
        bob = Party("bob")
        bob.get(made("b"), made("a"), made("c", lamport=T0 - 1))

        assert bob.sds.log.ids() == ["c", "a", "b"]

    def test_a_duplicate_is_not_delivered_again(self) -> None:
        bob = Party("bob")
        raw = made("m")

        assert contents(bob.get(raw)) == [b"m"]
        assert bob.get(raw) == [Ignored(IgnoreReason.DUPLICATE)]

    def test_messages_of_others_channels_its_own_and_garbage_are_ignored(self) -> None:
        bob = Party("bob")
        foreign = encode(SdsMessage("peer", "m", "other", T0, content=b"x"))

        assert bob.get(foreign) == [Ignored(IgnoreReason.FOREIGN)]
        assert bob.get(bob.send(b"x")) == [Ignored(IgnoreReason.OWN)]
        assert bob.get(b"\xff") == [Ignored(IgnoreReason.MALFORMED)]

    def test_a_message_that_names_itself_is_not_waited_for(self) -> None:
        bob = Party("bob")

        assert contents(bob.get(made("m", history=(HistoryEntry("m"),)))) == [b"m"]

    def test_a_time_far_ahead_moves_no_other_s(self) -> None:
        """CHN-12."""
        bob = Party("bob")
        bob.get(made("m", lamport=(1 << 64) - 1), made("n", lamport=T0 + MAX_AHEAD_MS))

        message = decode(bob.send(b"x"))

        assert message.lamport == T0 + MAX_AHEAD_MS + 1
        assert [entry.message_id for entry in message.history] == ["n"]

    def test_what_sorts_before_all_that_is_known_is_old(self) -> None:
        """CHN-20: a message that was forgotten is not delivered a second time."""
        bob = Party("bob", log_entries=3)
        raws = [made(f"m{number}", lamport=T0 + number) for number in range(5)]
        bob.get(*raws)

        assert bob.get(raws[0], raws[1]) == [Ignored(IgnoreReason.TOO_OLD)] * 2
        assert bob.get(raws[4]) == [Ignored(IgnoreReason.DUPLICATE)]


class TestAcknowledgement:
    def test_a_history_acknowledges(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        raw = alice.send(b"x")
        bob.get(raw)

        effects = alice.get(bob.send(b"y"))

        ended = [each.one.message_id for each in effects if isinstance(each, Acknowledged)]
        assert ended == [decode(raw).message_id]
        assert len(alice.sds.outgoing) == 0

    def test_who_says_nothing_acknowledges_in_a_sync_message(self) -> None:
        """CHN-16."""
        alice, bob = Party("alice"), Party("bob")
        raws = [alice.send(bytes([number])) for number in range(70)]
        bob.get(*raws)

        effects = bob.wait(MAX_DELAY_MS)
        answers = syncs(effects)
        alice.get(*answers)

        assert (
            max(len(decode(each).history) for each in answers)
            <= RECEIPTS_PER_SYNC + SYNC_HISTORY + 8
        )
        assert len(alice.sds.outgoing) == 0
        assert bob.wait(60_000) == []

    def test_what_waits_for_others_is_acknowledged_too(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        lost, raw = alice.send(b"lost"), alice.send(b"x")
        bob.get(raw)

        alice.get(*syncs(bob.wait(MAX_DELAY_MS)))

        assert alice.sds.outgoing.ids() == [decode(lost).message_id]

    def test_one_participant_acknowledges_for_all(self) -> None:
        alice, others = Party("alice"), [Party(f"bob {number}") for number in range(5)]
        raw = alice.send(b"x")
        for each in others:
            each.get(raw)
        first = min(others, key=lambda each: each.sds.next_wake_ms() or 0)

        (answer,) = syncs(first.until(first.sds.next_wake_ms() or 0))

        for each in others:
            each.get(answer)
            assert syncs(each.wait(MAX_DELAY_MS)) == []

    def test_a_sender_s_own_chain_acknowledges_nothing(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        bob.get(alice.send(b"x"), alice.send(b"y"))

        (answer,) = syncs(bob.wait(MAX_DELAY_MS))

        assert len(decode(answer).history) == 2

    def test_a_message_that_comes_again_is_acknowledged_again(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        raw = alice.send(b"x")
        bob.get(raw)
        bob.wait(MAX_DELAY_MS)

        bob.get(raw)

        alice.get(*syncs(bob.wait(MAX_DELAY_MS)))
        assert len(alice.sds.outgoing) == 0

    def test_filters_of_two_participants_acknowledge(self) -> None:
        alice = Party("alice")
        one = alice.sds.send(b"x", "r", 1, T0)
        filter_ = bloom.BloomFilter(7, bytes(256)).with_added([one.message_id])

        def say(who: str, name: str) -> list[Effect]:
            message = SdsMessage(who, name, "channel", T0, bloom=bloom.encode(filter_))
            return alice.get(encode(message))

        assert say("bob", "1") == []
        assert say("bob", "2") == []
        assert say("carol", "3") == [Acknowledged(one)]

    def test_what_a_filter_holds_is_repeated_later(self) -> None:
        """LIP SDS: distinct periods for unacknowledged and possibly acknowledged messages."""
        alice = Party("alice")
        one = alice.sds.send(b"x", "r", 1, T0)
        alice.get(
            encode(
                SdsMessage(
                    "bob",
                    "1",
                    "channel",
                    T0,
                    bloom=bloom.encode(
                        bloom.BloomFilter(7, bytes(256)).with_added([one.message_id])
                    ),
                )
            )
        )

        alice.sds.sent(one.message_id, b"", T0)

        assert alice.sds.outgoing.due_ms() == T0 + 2 * Patience().timeout_ms

    @pytest.mark.parametrize("raw", [b"1", bloom.encode(bloom.BloomFilter(1, b"\xff" * 256))])
    def test_a_filter_that_is_none_or_says_yes_to_all_is_not_heard(self, raw: bytes) -> None:
        """nim-sds: "invalid bloom filter handling"; the rest of the message counts."""
        alice = Party("alice")
        alice.send(b"x")

        for who in ("bob", "carol", "dave"):
            effects = alice.get(encode(SdsMessage(who, who, "channel", T0, (), raw, (), b"y")))
            assert contents(effects) == [b"y"]

        assert len(alice.sds.outgoing) == 1

    def test_what_is_not_acknowledged_is_repeated_and_then_given_up(self) -> None:
        """CHN-19."""
        alice = Party("alice")
        one = alice.sds.send(b"x", "r", 1, T0)
        repeats = 0

        for _ in range(10):
            alice.sds.sent(one.message_id, b"", alice.now_ms)
            before_ms = alice.now_ms
            effects = alice.until(alice.sds.next_wake_ms() or 0)
            assert alice.now_ms == before_ms + 5000
            if effects == [NotAcknowledged(one)]:
                break
            assert effects == [Transmit(one.message_id, one.raw, is_ephemeral=False)]
            repeats += 1

        assert repeats == 5
        assert (len(alice.sds.outgoing), alice.sds.next_wake_ms()) == (0, None)


class TestSync:
    def test_it_is_no_part_of_the_history(self) -> None:
        alice, bob = Party("alice", sync_ms=1000), Party("bob")
        bob.get(alice.send(b"x"))

        effects = alice.wait(5000)
        before = bob.sds.log.ids()
        bob.get(*syncs(effects))

        assert len(syncs(effects)) >= 2
        assert bob.sds.log.ids() == before
        assert len(alice.sds.log) == 1
        stamps = [each.lamport or 0 for each in sent(effects)]
        assert stamps == sorted(set(stamps))

    def test_a_channel_in_which_others_speak_needs_none(self) -> None:
        alice = Party("alice", sync_ms=30_000)
        alice.send(b"x")
        found = []

        for number in range(20):
            found += syncs(alice.wait(20_000))
            alice.get(encode(SdsMessage("peer", str(number), "channel", T0)))

        assert found == []
        assert len(syncs(alice.wait(60_000))) == 1

    def test_a_channel_without_messages_is_silent(self) -> None:
        assert Party("alice", sync_ms=30_000).sds.next_wake_ms() is None

    def test_it_shows_what_is_missing(self) -> None:
        alice, bob = Party("alice"), Party("bob")
        alice.send(b"x")
        bob.send(b"y")

        bob.get(encode(SdsMessage("peer", "s", "channel", T0, (HistoryEntry("m"),))))

        effects = bob.until(T0 + 2 * TIMES.max_ms)
        assert {entry.message_id for each in sent(effects) for entry in each.repairs} == {"m"}


class TestRepair:
    def test_one_gap(self) -> None:
        """nim-sds: "basic single-gap repair"."""
        alice, bob, carol = Party("alice"), Party("bob"), Party("carol")
        first = made("first")
        for each in (alice, bob, carol):
            each.get(first)
        lost = alice.send(b"lost")
        carol.get(lost)
        bob.get(alice.send(b"after"))
        due_ms = bob.now_ms + request_delay_ms(TIMES, "bob", decode(lost).message_id)

        bob.until(due_ms - 1)
        (request,) = syncs(bob.until(due_ms))
        assert [each.message_id for each in decode(request).repairs] == [decode(lost).message_id]
        alice.sds.outgoing.remove(decode(lost).message_id)
        answers = [
            each
            for each in alice.sds.receive(request, b"", due_ms) + alice.sds.tick(due_ms)
            if isinstance(each, Transmit) and decode(each.raw).content == b"lost"
        ]

        assert [(each.raw, each.is_ephemeral) for each in answers] == [(lost, True)]
        assert contents(bob.get(lost)) == [b"lost", b"after"]

    def test_who_hears_an_answer_does_not_give_one(self) -> None:
        """nim-sds: "response cancellation: only one rebroadcast on the wire"."""
        bob, carol = Party("bob"), Party("carol")
        raw = made("m")
        request = encode(
            SdsMessage("dave", "r", "channel", T0, repairs=(HistoryEntry("m", b"", "peer"),))
        )
        for each in (bob, carol):
            each.get(raw)
            each.wait(10_000)
            each.get(request)

        first, other = sorted((bob, carol), key=lambda each: each.sds._answers.due_ms() or 0)
        answer = [each for each in first.wait(TIMES.max_ms) if isinstance(each, Transmit)]
        assert [each.raw for each in answer] == [raw]
        other.get(answer[0].raw)

        assert [each for each in sent(other.wait(TIMES.max_ms)) if each.content] == []

    def test_who_hears_a_request_does_not_make_it(self) -> None:
        bob = Party("bob")
        bob.get(made("before"))
        bob.get(made("n", history=(HistoryEntry("m"),)))
        due_ms = bob.now_ms + request_delay_ms(TIMES, "bob", "m")
        bob.until(due_ms - 1)

        bob.get(encode(SdsMessage("c", "r", "channel", T0, repairs=(HistoryEntry("m"),))))

        assert [each.repairs for each in sent(bob.until(due_ms + 1000)) if each.repairs] == []

    def test_a_request_for_what_is_not_here_is_not_answered(self) -> None:
        bob = Party("bob")
        bob.get(encode(SdsMessage("c", "r", "channel", T0, repairs=(HistoryEntry("m"),))))

        assert bob.sds.next_wake_ms() is None

    def test_many_gaps_are_asked_for_three_at_a_time(self) -> None:
        bob = Party("bob")
        bob.get(made("before"))
        bob.get(made("n", history=tuple(HistoryEntry(f"m{number}") for number in range(10))))

        effects = bob.until(T0 + 2 * TIMES.max_ms)

        requests = [each.repairs for each in sent(effects) if each.repairs]

        asked = {entry.message_id for each in requests for entry in each}
        assert max(map(len, requests)) <= 3
        assert asked == {f"m{number}" for number in range(10)}

    def test_a_hint_is_looked_for_in_a_store(self) -> None:
        """CHN-21."""
        bob = Party("bob")
        bob.get(made("n", history=(HistoryEntry("m", b"hash"), HistoryEntry("o"))))

        assert Fetch((b"hash",)) in bob.wait(FETCH_AFTER_MS)

    def test_what_cannot_be_had_is_given_up_and_welcome_later(self) -> None:
        """CHN-18."""
        bob = Party("bob")
        bob.get(made("before"))
        bob.get(made("n", history=(HistoryEntry("m"),)), made("o", history=(HistoryEntry("n"),)))

        effects = bob.wait(300_000)

        assert Lost(("m",)) in effects
        assert contents(effects) == [b"n", b"o"]
        assert contents(bob.get(made("m"))) == [b"m"]
        assert bob.get(made("m")) == [Ignored(IgnoreReason.DUPLICATE)]

    def test_messages_that_name_each_other_do_not_wait_for_ever(self) -> None:
        bob = Party("bob")
        bob.get(made("m", history=(HistoryEntry("n"),)), made("n", history=(HistoryEntry("m"),)))

        assert contents(bob.wait(300_000)) == [b"m", b"n"]

    def test_a_long_chain_waits_for_its_youngest_gap(self) -> None:
        """Found by the simulation: what waits for others here is not in a circle."""
        bob = Party("bob")
        bob.get(made("before"))
        for number in range(9, 0, -1):
            bob.get(made(f"m{number}", history=(HistoryEntry(f"m{number - 1}"),)))
            assert contents(bob.wait(100_000)) == []

        assert contents(bob.get(made("m0"))) == [b"m%d" % number for number in range(10)]

    def test_a_newcomer_does_not_wait_for_what_was_before(self) -> None:
        """CHN-18."""
        bob = Party("bob")
        old = made("old", history=(HistoryEntry("older"),), lamport=T0 - JOIN_SLACK_MS - 1)
        assert contents(bob.get(old)) == [b"old"]

        carol = Party("carol")
        carol.get(made("n", history=(HistoryEntry("m"),)))
        assert contents(carol.wait(29_000)) == []
        assert contents(carol.wait(1_000)) == [b"n"]


class TestBounds:
    def test_a_flood_of_messages_that_wait_leaves_room_for_others(self) -> None:
        """CHN-17."""
        bob = Party("bob")
        gone = (HistoryEntry("gone"),)

        effects = bob.get(*(made(f"m{number}", history=gone) for number in range(2000)))

        assert Ignored(IgnoreReason.NO_ROOM) in effects
        assert len(bob.sds.parked) == 512
        other = encode(SdsMessage("honest", "h", "channel", T0, gone, content=b"h"))
        assert bob.get(other) == [Park(decode(other))]

    def test_what_had_no_room_is_not_acknowledged_and_may_come_again(self) -> None:
        bob = Party("bob")
        gone = (HistoryEntry("gone"),)
        bob.get(*(made(f"m{number}", history=gone) for number in range(512)))
        late = made("late", history=gone)
        assert bob.get(late) == [Ignored(IgnoreReason.NO_ROOM)]

        named = {entry.message_id for each in sent(bob.wait(10_000)) for entry in each.history}
        assert "late" not in named
        bob.get(made("gone"))

        assert contents(bob.get(late)) == [b"late"]

    @given(
        st.lists(
            st.binary(max_size=80)
            | st.builds(
                lambda sender, name, lamport, history, repairs, content: encode(
                    SdsMessage(
                        sender,
                        name,
                        "channel",
                        lamport,
                        tuple(map(HistoryEntry, history)),
                        b"",
                        tuple(map(HistoryEntry, repairs)),
                        content,
                    )
                ),
                st.sampled_from(["a", "b", "bob"]),
                st.sampled_from("uvwxyz"),
                st.none() | st.integers(T0 - 10, T0 + 10) | st.just((1 << 64) - 1),
                st.lists(st.sampled_from("uvwxyz"), max_size=3),
                st.lists(st.sampled_from("uvwxyz"), max_size=3),
                st.sampled_from([b"", b"c"]),
            ),
            max_size=30,
        )
    )
    def test_nothing_that_is_received_raises_or_stops_time(self, raws: list[bytes]) -> None:
        bob = Party("bob", sync_ms=30_000)

        for raw in raws:
            bob.get(raw)
            bob.wait(7_000)
        bob.send(b"x")
        bob.wait(400_000)

        assert len(bob.sds.parked) == 0
