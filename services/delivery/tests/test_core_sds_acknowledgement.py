"""SDS: how a sender learns that others have its messages (CHN-16, CHN-19).

The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules.
"""

import pytest
from sds_parties import T0, Party, contents, syncs

from logos_delivery.core.channels import bloom
from logos_delivery.core.channels.sds import RECEIPTS_PER_SYNC, SYNC_HISTORY
from logos_delivery.core.channels.sds_message import SdsMessage, decode, encode
from logos_delivery.core.channels.sds_outgoing import Patience
from logos_delivery.core.channels.sds_receipts import MAX_DELAY_MS
from logos_delivery.core.channels.sds_types import Acknowledged, Effect, NotAcknowledged, Transmit


def test_a_history_acknowledges() -> None:
    alice, bob = Party("alice"), Party("bob")
    raw = alice.send(b"x")
    bob.get(raw)

    effects = alice.get(bob.send(b"y"))

    ended = [each.one.message_id for each in effects if isinstance(each, Acknowledged)]
    assert ended == [decode(raw).message_id]
    assert len(alice.sds.outgoing) == 0


def test_a_silent_participant_acknowledges_in_a_sync_message() -> None:
    """CHN-16."""
    alice, bob = Party("alice"), Party("bob")
    raws = [alice.send(bytes([number])) for number in range(70)]
    bob.get(*raws)

    effects = bob.wait(MAX_DELAY_MS)
    answers = syncs(effects)
    alice.get(*answers)

    assert (
        max(len(decode(each).history) for each in answers) <= RECEIPTS_PER_SYNC + SYNC_HISTORY + 8
    )
    assert len(alice.sds.outgoing) == 0
    assert bob.wait(60_000) == []


def test_what_waits_for_others_is_acknowledged_too() -> None:
    alice, bob = Party("alice"), Party("bob")
    lost, raw = alice.send(b"lost"), alice.send(b"x")
    bob.get(raw)

    alice.get(*syncs(bob.wait(MAX_DELAY_MS)))

    assert alice.sds.outgoing.ids() == [decode(lost).message_id]


def test_one_participant_acknowledges_for_all() -> None:
    alice, others = Party("alice"), [Party(f"bob {number}") for number in range(5)]
    raw = alice.send(b"x")
    for each in others:
        each.get(raw)
    first = min(others, key=lambda each: each.sds.next_wake_ms() or 0)

    (answer,) = syncs(first.until(first.sds.next_wake_ms() or 0))

    for each in others:
        each.get(answer)
        assert syncs(each.wait(MAX_DELAY_MS)) == []


def test_a_sender_s_own_chain_acknowledges_nothing() -> None:
    alice, bob = Party("alice"), Party("bob")
    bob.get(alice.send(b"x"), alice.send(b"y"))

    (answer,) = syncs(bob.wait(MAX_DELAY_MS))

    assert len(decode(answer).history) == 2


def test_a_message_that_comes_again_is_acknowledged_again() -> None:
    alice, bob = Party("alice"), Party("bob")
    raw = alice.send(b"x")
    bob.get(raw)
    bob.wait(MAX_DELAY_MS)

    bob.get(raw)

    alice.get(*syncs(bob.wait(MAX_DELAY_MS)))
    assert len(alice.sds.outgoing) == 0


def test_filters_of_two_participants_acknowledge() -> None:
    alice = Party("alice")
    one = alice.sds.send(b"x", "r", 1, T0)
    filter_ = bloom.BloomFilter(7, bytes(256)).with_added([one.message_id])

    def say(who: str, name: str) -> list[Effect]:
        message = SdsMessage(who, name, "channel", T0, bloom=bloom.encode(filter_))
        return alice.get(encode(message))

    assert say("bob", "1") == []
    assert say("bob", "2") == []
    assert say("carol", "3") == [Acknowledged(one)]


def test_what_a_filter_holds_is_repeated_later() -> None:
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
                bloom=bloom.encode(bloom.BloomFilter(7, bytes(256)).with_added([one.message_id])),
            )
        )
    )

    alice.sds.sent(one.message_id, b"", T0)

    assert alice.sds.outgoing.due_ms() == T0 + 2 * Patience().timeout_ms


@pytest.mark.parametrize("raw", [b"1", bloom.encode(bloom.BloomFilter(1, b"\xff" * 256))])
def test_a_filter_that_is_none_or_says_yes_to_all_is_not_heard(raw: bytes) -> None:
    """nim-sds: "invalid bloom filter handling"; the rest of the message counts."""
    alice = Party("alice")
    alice.send(b"x")

    for who in ("bob", "carol", "dave"):
        effects = alice.get(encode(SdsMessage(who, who, "channel", T0, (), raw, (), b"y")))
        assert contents(effects) == [b"y"]

    assert len(alice.sds.outgoing) == 1


def test_what_is_not_acknowledged_is_repeated_and_then_given_up() -> None:
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
