"""SDS: missing messages are asked for, given, looked for in stores, and given up (CHN-18, CHN-21).

The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules.
"""

from sds_parties import T0, TIMES, Party, contents, made, sent, syncs

from logos_delivery.core.channels.repair import FETCH_AFTER_MS, request_delay_ms
from logos_delivery.core.channels.sds import JOIN_SLACK_MS
from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, decode, encode
from logos_delivery.core.channels.sds_types import Fetch, Ignored, IgnoreReason, Lost, Transmit


def test_one_gap_is_repaired() -> None:
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


def test_a_participant_that_hears_an_answer_does_not_give_one() -> None:
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


def test_a_participant_that_hears_a_request_does_not_make_it() -> None:
    bob = Party("bob")
    bob.get(made("before"))
    bob.get(made("n", history=(HistoryEntry("m"),)))
    due_ms = bob.now_ms + request_delay_ms(TIMES, "bob", "m")
    bob.until(due_ms - 1)

    bob.get(encode(SdsMessage("c", "r", "channel", T0, repairs=(HistoryEntry("m"),))))

    assert [each.repairs for each in sent(bob.until(due_ms + 1000)) if each.repairs] == []


def test_a_request_for_what_is_not_here_is_not_answered() -> None:
    bob = Party("bob")
    bob.get(encode(SdsMessage("c", "r", "channel", T0, repairs=(HistoryEntry("m"),))))

    assert bob.sds.next_wake_ms() is None


def test_many_gaps_are_asked_for_three_at_a_time() -> None:
    bob = Party("bob")
    bob.get(made("before"))
    bob.get(made("n", history=tuple(HistoryEntry(f"m{number}") for number in range(10))))

    effects = bob.until(T0 + 2 * TIMES.max_ms)

    requests = [each.repairs for each in sent(effects) if each.repairs]

    asked = {entry.message_id for each in requests for entry in each}
    assert max(map(len, requests)) <= 3
    assert asked == {f"m{number}" for number in range(10)}


def test_a_hint_is_looked_for_in_a_store() -> None:
    """CHN-21."""
    bob = Party("bob")
    bob.get(made("n", history=(HistoryEntry("m", b"hash"), HistoryEntry("o"))))

    assert Fetch((b"hash",)) in bob.wait(FETCH_AFTER_MS)


def test_what_cannot_be_had_is_given_up_and_welcome_later() -> None:
    """CHN-18."""
    bob = Party("bob")
    bob.get(made("before"))
    bob.get(made("n", history=(HistoryEntry("m"),)), made("o", history=(HistoryEntry("n"),)))

    effects = bob.wait(300_000)

    assert Lost(("m",)) in effects
    assert contents(effects) == [b"n", b"o"]
    assert contents(bob.get(made("m"))) == [b"m"]
    assert bob.get(made("m")) == [Ignored(IgnoreReason.DUPLICATE)]


def test_messages_that_name_each_other_do_not_wait_for_ever() -> None:
    bob = Party("bob")
    bob.get(made("m", history=(HistoryEntry("n"),)), made("n", history=(HistoryEntry("m"),)))

    assert contents(bob.wait(300_000)) == [b"m", b"n"]


def test_a_long_chain_waits_for_its_youngest_gap() -> None:
    """Found by the simulation: what waits for others here is not in a circle."""
    bob = Party("bob")
    bob.get(made("before"))
    for number in range(9, 0, -1):
        bob.get(made(f"m{number}", history=(HistoryEntry(f"m{number - 1}"),)))
        assert contents(bob.wait(100_000)) == []

    assert contents(bob.get(made("m0"))) == [b"m%d" % number for number in range(10)]


def test_a_newcomer_does_not_wait_for_what_was_before() -> None:
    """CHN-18."""
    bob = Party("bob")
    old = made("old", history=(HistoryEntry("older"),), lamport=T0 - JOIN_SLACK_MS - 1)
    assert contents(bob.get(old)) == [b"old"]

    carol = Party("carol")
    carol.get(made("n", history=(HistoryEntry("m"),)))
    assert contents(carol.wait(29_000)) == []
    assert contents(carol.wait(1_000)) == [b"n"]
