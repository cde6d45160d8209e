"""A relay: what it checks in which order, what it keeps, when packets leave.

Rules: MIX-15, MIX-16, MIX-17.
"""

import secrets
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.rln_refusals import ProofInvalidError
from logos_mixnet.core.mixing import relay as module
from logos_mixnet.core.mixing.errors import RelayStoppedError
from logos_mixnet.core.mixing.relay import (
    MAX_OF_PEER,
    PROOF_BYTES,
    Check,
    Deliver,
    Forward,
    Keep,
    KeyEpoch,
    PacketRelay,
    Pause,
    Resume,
    Retire,
)
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HERE, MESSAGE_BYTES, PACKET_BYTES
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.packet import Exit, create_packet, receive
from logos_mixnet.core.sphinx.primitives import public_key

PROOF = bytes(PROOF_BYTES)
KEYS = [bytes([number]) * 32 for number in range(1, 6)]
ADDRESSES = [bytes([number]) * ADDRESS_BYTES for number in range(1, 6)]
MEAN_MS = 100
PEER = "peer"


def packet(number: int = 0, *, hops: int = 3, key: bytes = KEYS[0]) -> bytes:
    """A packet whose first hop has that key."""
    keys = [key, *KEYS[1:hops]]
    path = Path(
        [Hop(public_key(one), address) for one, address in zip(keys, ADDRESSES, strict=False)],
        [MEAN_MS] * (hops - 1),
    )
    return create_packet(path, HERE, number.to_bytes(MESSAGE_BYTES, "big"), secrets.token_bytes)


def a_relay(key: bytes = KEYS[0], *, is_guarded: bool = False) -> PacketRelay:
    return PacketRelay([KeyEpoch(7, key)], Random(3), is_guarded=is_guarded)  # noqa: S311


def kept(relay: PacketRelay, effects: list[module.Effect], now_ms: int = 0) -> list[module.Effect]:
    """Stores what is to be stored; returns what follows."""
    found = []
    for effect in effects:
        if isinstance(effect, Keep):
            found += relay.kept(effect, now_ms)
        else:
            found.append(effect)
    return found


def test_a_packet_goes_through_three_relays_and_is_delivered_once() -> None:
    frame, now_ms = packet(5), 1_000
    for hop in range(3):
        relay = a_relay(KEYS[hop])
        effects = kept(relay, relay.arrived(PEER, frame, now_ms), now_ms)
        while not effects:
            wake_ms = relay.next_wake_ms()
            assert wake_ms is not None
            now_ms = wake_ms
            effects = relay.tick(now_ms)
        assert relay.held == 0
        [effect] = effects
        if hop < 2:
            assert isinstance(effect, Forward)
            assert effect.next_hop == ADDRESSES[hop + 1]
            frame = effect.packet
            assert len(frame) == PACKET_BYTES
    assert effect == Deliver(Exit(HERE, (5).to_bytes(MESSAGE_BYTES, "big")))


def test_nothing_leaves_before_its_tag_is_durable() -> None:
    relay = a_relay()
    [keep] = relay.arrived(PEER, packet(), 0)
    assert isinstance(keep, Keep)
    assert relay.tick(10**9) == []
    assert relay.next_wake_ms() is None
    [forward] = relay.kept(keep, 10**9)
    assert isinstance(forward, Forward)


def test_what_comes_while_tags_are_written_is_written_together_after_them() -> None:
    relay = a_relay()
    [first] = relay.arrived(PEER, packet(1), 0)
    assert isinstance(first, Keep)
    assert relay.arrived(PEER, packet(2), 0) == []
    assert relay.arrived(PEER, packet(3), 0) == []
    [second] = relay.kept(first, 0)
    assert isinstance(second, Keep)
    assert (len(first.tags), len(second.tags)) == (1, 2)


def test_a_packet_is_taken_once_also_by_the_next_process() -> None:
    relay, frame = a_relay(), packet()
    [keep] = relay.arrived(PEER, frame, 0)
    assert isinstance(keep, Keep)
    relay.kept(keep, 0)
    assert relay.arrived(PEER, frame, 1) == []

    restored = KeyEpoch(7, KEYS[0])
    for tag in keep.tags:
        restored.tags.add(tag)
    after = PacketRelay([restored], Random(4), is_guarded=False)  # noqa: S311
    assert after.arrived(PEER, frame, 2) == []
    assert relay.dropped == after.dropped == {"MIX_PACKET_REPEATED": 1}


def test_a_tag_is_kept_only_once_the_proof_holds() -> None:
    relay, frame = a_relay(is_guarded=True), packet()
    [check] = relay.arrived(PEER, frame + PROOF, 0)
    assert check == Check(0, frame, PROOF, PEER)
    assert relay.checked(0, RelayStoppedError("no"), 0) == []
    [check] = relay.arrived(PEER, frame + PROOF, 0)  # the packet itself has not come yet
    assert isinstance(check, Check)
    [keep] = relay.checked(check.arrival, None, 0)
    assert isinstance(keep, Keep)
    assert relay.dropped == {"MIX_RELAY_STOPPED": 1}


def test_of_two_copies_that_are_checked_at_once_one_is_taken() -> None:
    relay, frame = a_relay(is_guarded=True), packet()
    checks = [relay.arrived(PEER, frame + PROOF, 0)[0] for _ in range(2)]
    taken = [relay.checked(each.arrival, None, 0) for each in checks if isinstance(each, Check)]
    assert [len(each) for each in taken] == [1, 0]
    assert relay.dropped == {"MIX_PACKET_REPEATED": 1}


@given(st.binary(max_size=PACKET_BYTES + PROOF_BYTES + 1), st.booleans())
def test_junk_is_counted_and_grows_nothing(frame: bytes, is_guarded: bool) -> None:  # noqa: FBT001
    relay = a_relay(is_guarded=is_guarded)
    assert relay.arrived(PEER, frame, 0) == []
    assert relay.dropped.total() == 1
    assert relay.held == 0


def test_frames_have_one_size() -> None:
    for is_guarded, frame in ((True, packet()), (False, packet() + PROOF)):
        relay = a_relay(is_guarded=is_guarded)
        assert relay.arrived(PEER, frame, 0) == []
        assert relay.dropped == {"MIX_PACKET_SIZE": 1}


def test_a_disk_that_takes_no_tags_stops_the_relay_until_it_does() -> None:
    relay = a_relay()
    [keep] = relay.arrived(PEER, packet(1), 0)
    assert isinstance(keep, Keep)
    assert relay.not_kept(keep, "the disk is full", 0) == []
    assert relay.trouble == "the disk is full"
    assert relay.arrived(PEER, packet(2), 1) == []
    assert relay.dropped == {"MIX_RELAY_STOPPED": 1}
    assert relay.next_wake_ms() == module.RETRY_MS
    assert relay.tick(module.RETRY_MS - 1) == []
    [again] = relay.tick(module.RETRY_MS)
    assert again == keep
    assert isinstance(again, Keep)
    [forward] = relay.kept(again, 10**9)
    assert isinstance(forward, Forward)
    assert relay.trouble == ""


def test_two_keys_are_served_and_the_third_retires_the_first() -> None:
    relay = a_relay()
    assert relay.rotated(KeyEpoch(8, KEYS[3]), 0) == []
    for key, number in ((KEYS[0], 7), (KEYS[3], 8)):
        [keep] = relay.arrived(PEER, packet(key=key), 0)
        assert isinstance(keep, Keep)
        assert keep.key_epoch == number
    assert relay.rotated(KeyEpoch(9, KEYS[4]), 0) == [Retire(7)]
    assert relay.arrived(PEER, packet(key=KEYS[0]), 0) == []
    assert relay.dropped == {"MIX_HEADER_FORGED": 1}


def test_what_was_checked_for_a_retired_key_is_dropped() -> None:
    relay = a_relay(is_guarded=True)
    [check] = relay.arrived(PEER, packet() + PROOF, 0)
    relay.rotated(KeyEpoch(8, KEYS[3]), 0)
    relay.rotated(KeyEpoch(9, KEYS[4]), 0)
    assert isinstance(check, Check)
    assert relay.checked(check.arrival, None, 0) == []


def test_a_flood_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 4)
    relay = a_relay()
    for number in range(6):
        relay.arrived(PEER, packet(number), 0)
    assert relay.dropped == {"MIX_RELAY_BUSY": 2}


def test_a_peer_is_paused_while_enough_of_it_is_checked_and_what_comes_then_is_dropped() -> None:
    relay = a_relay(is_guarded=True)
    effects = [relay.arrived(PEER, packet(at) + PROOF, 0) for at in range(MAX_OF_PEER + 1)]

    assert [type(one) for each in effects for one in each] == [Check] * (MAX_OF_PEER - 1) + [
        Pause,
        Check,
    ]
    assert relay.dropped == {"MIX_RELAY_BUSY": 1}
    [check] = effects[0]
    assert isinstance(check, Check)
    assert relay.checked(check.arrival, ProofInvalidError("no"), 0) == [Resume(PEER)]


def test_r6_beside_a_peer_that_floods_the_packet_of_another_is_checked_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The verifier is full, and so is the flooding peer's queue."""
    monkeypatch.setattr(module, "MAX_CHECKING", 2)
    relay = a_relay(is_guarded=True)
    checks = [
        effect
        for at in range(MAX_OF_PEER)
        for effect in relay.arrived("flood", packet(at) + PROOF, 0)
        if isinstance(effect, Check)
    ]
    assert len(checks) == 2

    assert relay.arrived("honest", packet(9) + PROOF, 0) == []
    turns = []
    for check in checks:
        effects = relay.checked(check.arrival, ProofInvalidError("no"), 0)
        turns += [each.peer_id for each in effects if isinstance(each, Check)]

    assert sorted(turns) == ["flood", "honest"]  # each its turn, whoever sent more


def test_the_packets_that_wait_for_a_retired_key_hold_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_CHECKING", 1)
    relay = a_relay(is_guarded=True)
    [check] = relay.arrived("one", packet(1) + PROOF, 0)
    assert isinstance(check, Check)
    for at in range(MAX_OF_PEER):
        relay.arrived("two", packet(10 + at) + PROOF, 0)
    for number, key in ((8, KEYS[3]), (9, KEYS[4])):
        relay.rotated(KeyEpoch(number, key), 0)
    relay.arrived("three", packet(3, key=KEYS[4]) + PROOF, 0)

    effects = relay.checked(check.arrival, None, 0)

    assert [each.peer_id for each in effects if isinstance(each, Check)] == ["three"]
    assert Resume("two") in effects


def test_a_full_table_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_mixnet.core.mixing.tags.MAX_TAGS", 2)
    relay, frames = a_relay(), [packet(number) for number in range(3)]
    for frame in (*frames, frames[0]):
        kept(relay, relay.arrived(PEER, frame, 0))
    assert relay.dropped == {"MIX_TAGS_FULL": 1, "MIX_PACKET_REPEATED": 1}
    relay.rotated(KeyEpoch(8, KEYS[3]), 0)
    assert kept(relay, relay.arrived(PEER, packet(key=KEYS[3]), 0)) == []
    assert relay.held == 3


def test_what_leaves_at_once_leaves_in_no_order_of_arrival() -> None:
    relay = a_relay()
    effects: list[module.Effect] = []
    for number in range(30):
        effects += kept(relay, relay.arrived(PEER, packet(number), 0))
    assert effects == []
    left = relay.tick(10**9)
    assert len(left) == 30
    assert relay.forwarded == 30


def test_a_packet_that_cannot_be_sent_is_counted() -> None:
    relay = a_relay()
    effects = [*kept(relay, relay.arrived(PEER, packet(), 0)), *relay.tick(10**9)]
    [forward] = [each for each in effects if isinstance(each, module.Forward)]
    relay.not_sent(forward.tag, "RLN_BUDGET_SPENT", 0)
    assert relay.dropped == {"RLN_BUDGET_SPENT": 1}
    assert relay.forwarded == 0


def test_who_knows_a_packet_by_its_tag_may_watch_it() -> None:
    """MIX-24."""
    watched, other = packet(1), packet(2)
    tag = receive(watched, KEYS[0]).replay_tag[:16]
    relay = a_relay()
    relay.traced[tag] += 1
    effects: list[module.Effect] = []
    for frame in (watched, other, watched):
        effects += kept(relay, relay.arrived(PEER, frame, 0))
    effects += relay.tick(10**9)
    effects += relay.not_sent(tag, "MIX_LINK_DOWN", 10**9)
    told = [each for each in effects if isinstance(each, module.Traced)]
    assert {each.tag for each in told} == {tag}
    assert [(each.step, each.why) for each in told] == [
        (module.Step.HELD, ""),
        (module.Step.DROPPED, "MIX_PACKET_REPEATED"),
        (module.Step.FORWARDED, ""),
        (module.Step.DROPPED, "MIX_LINK_DOWN"),
    ]
    assert told[0].delay_ms > 0
