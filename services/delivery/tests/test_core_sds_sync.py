"""SDS: sync messages, of participants that have nothing to say.

The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules.
"""

from sds_parties import T0, TIMES, Party, sent, syncs

from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, encode


def test_a_sync_message_is_no_part_of_the_history() -> None:
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


def test_a_channel_in_which_others_speak_needs_no_sync_message() -> None:
    alice = Party("alice", sync_ms=30_000)
    alice.send(b"x")
    found = []

    for number in range(20):
        found += syncs(alice.wait(20_000))
        alice.get(encode(SdsMessage("peer", str(number), "channel", T0)))

    assert found == []
    assert len(syncs(alice.wait(60_000))) == 1


def test_a_channel_without_messages_is_silent() -> None:
    assert Party("alice", sync_ms=30_000).sds.next_wake_ms() is None


def test_a_sync_message_shows_what_is_missing() -> None:
    alice, bob = Party("alice"), Party("bob")
    alice.send(b"x")
    bob.send(b"y")

    bob.get(encode(SdsMessage("peer", "s", "channel", T0, (HistoryEntry("m"),))))

    effects = bob.until(T0 + 2 * TIMES.max_ms)
    assert {entry.message_id for each in sent(effects) for entry in each.repairs} == {"m"}
