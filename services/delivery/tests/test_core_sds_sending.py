"""SDS: what a participant puts into its messages (CHN-11 to CHN-13).

The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules.
"""

from sds_parties import T0, Party, contents, made

from logos_delivery.core.channels import bloom
from logos_delivery.core.channels.sds_message import HistoryEntry, decode


def test_time_is_lamport_s_and_near_the_clock() -> None:
    """CHN-12."""
    alice = Party("alice")

    times = [decode(alice.sds.send(b"x", "r", 1, T0 + 50).raw).lamport for _ in range(3)]
    later = decode(alice.sds.send(b"x", "r", 1, T0 + 1000).raw).lamport

    assert times == [T0 + 50, T0 + 51, T0 + 52]
    assert later == T0 + 1000


def test_a_message_names_the_last_two_before_it() -> None:
    alice = Party("alice")
    names = [decode(alice.send(bytes([number]))).message_id for number in range(3)]

    history = decode(alice.send(b"x")).history

    assert history == tuple(HistoryEntry(one, b"", "alice") for one in names[1:])


def test_a_message_names_all_that_were_sent_at_once() -> None:
    """CHN-13: two names alone would lose the third of three concurrent messages."""
    alice = Party("alice")
    raws = [made(f"m{number}", lamport=T0 + number) for number in range(4)]
    alice.get(*raws)

    history = decode(alice.send(b"x")).history
    after = decode(alice.send(b"y")).history

    assert [entry.message_id for entry in history] == ["m0", "m1", "m2", "m3"]
    assert len(after) == 2


def test_the_named_messages_have_hints_once_they_are_known() -> None:
    alice = Party("alice")
    one = alice.sds.send(b"x", "r", 1, T0)
    alice.sds.sent(one.message_id, b"first", T0)
    alice.sds.sent(one.message_id, b"second", T0)
    alice.get(made("m", lamport=T0 + 5), hint=b"third")

    history = decode(alice.send(b"y")).history

    assert [entry.hint for entry in history] == [b"first", b"third"]


def test_the_filter_holds_what_was_received_and_may_be_off() -> None:
    alice, bob = Party("alice"), Party("bob", filter_bytes=0)
    raw = made("m")
    alice.get(raw)
    bob.get(raw)

    assert "m" in bloom.decode(decode(alice.send(b"x")).bloom)
    assert decode(bob.send(b"x")).bloom == b""


def test_an_ephemeral_message_has_no_time_history_or_filter_and_is_delivered_at_once() -> None:
    """CHN-11."""
    alice, bob = Party("alice"), Party("bob")
    bob.send(b"first")

    made_ = bob.sds.ephemeral(b"now", T0)
    message = decode(made_.raw)

    assert (message.lamport, message.history, message.bloom) == (None, (), b"")
    assert contents(alice.get(made_.raw)) == [b"now"]
    assert alice.sds.next_wake_ms() is None
    assert len(alice.sds.log) == 0
