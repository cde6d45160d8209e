"""SDS: messages are delivered in causal order, each once (CHN-12, CHN-20).

The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules.
"""

from hypothesis import given
from hypothesis import strategies as st
from sds_parties import T0, Party, contents, made

from logos_delivery.core.channels.sds import MAX_AHEAD_MS
from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, decode, encode
from logos_delivery.core.channels.sds_types import Ignored, IgnoreReason, Park


def test_what_follows_is_delivered_after_what_it_follows() -> None:
    alice, bob = Party("alice"), Party("bob")
    one, two, three = (alice.send(bytes([number])) for number in (1, 2, 3))

    assert bob.get(three) == [Park(decode(three))]
    assert bob.get(two) == [Park(decode(two))]
    assert contents(bob.get(one)) == [b"\x01", b"\x02", b"\x03"]
    assert len(bob.sds.parked) == 0


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
def test_every_order_of_arrival_gives_the_order_of_sending(
    order: list[int], again: list[int]
) -> None:
    alice, bob = Party("alice"), Party("bob")
    raws = [alice.send(bytes([number])) for number in range(6)]

    effects = bob.get(*(raws[number] for number in [*order, *again]))

    assert contents(effects) == [bytes([number]) for number in range(6)]


def test_messages_of_one_time_are_in_the_order_of_their_ids() -> None:
    """LIP SDS, resolve conflicts."""
    bob = Party("bob")
    bob.get(made("b"), made("a"), made("c", lamport=T0 - 1))

    assert bob.sds.log.ids() == ["c", "a", "b"]


def test_a_duplicate_is_not_delivered_again() -> None:
    bob = Party("bob")
    raw = made("m")

    assert contents(bob.get(raw)) == [b"m"]
    assert bob.get(raw) == [Ignored(IgnoreReason.DUPLICATE)]


def test_messages_of_others_channels_its_own_and_garbage_are_ignored() -> None:
    bob = Party("bob")
    foreign = encode(SdsMessage("peer", "m", "other", T0, content=b"x"))

    assert bob.get(foreign) == [Ignored(IgnoreReason.FOREIGN)]
    assert bob.get(bob.send(b"x")) == [Ignored(IgnoreReason.OWN)]
    assert bob.get(b"\xff") == [Ignored(IgnoreReason.MALFORMED)]


def test_a_message_that_names_itself_is_not_waited_for() -> None:
    bob = Party("bob")

    assert contents(bob.get(made("m", history=(HistoryEntry("m"),)))) == [b"m"]


def test_a_time_far_ahead_moves_no_other_s() -> None:
    """CHN-12."""
    bob = Party("bob")
    bob.get(made("m", lamport=(1 << 64) - 1), made("n", lamport=T0 + MAX_AHEAD_MS))

    message = decode(bob.send(b"x"))

    assert message.lamport == T0 + MAX_AHEAD_MS + 1
    assert [entry.message_id for entry in message.history] == ["n"]


def test_what_sorts_before_all_that_is_known_is_old() -> None:
    """CHN-20: a message that was forgotten is not delivered a second time."""
    bob = Party("bob", log_entries=3)
    raws = [made(f"m{number}", lamport=T0 + number) for number in range(5)]
    bob.get(*raws)

    assert bob.get(raws[0], raws[1]) == [Ignored(IgnoreReason.TOO_OLD)] * 2
    assert bob.get(raws[4]) == [Ignored(IgnoreReason.DUPLICATE)]
