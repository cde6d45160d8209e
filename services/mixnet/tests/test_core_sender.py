"""Own messages and loops: when they leave, on which paths, and what a lost loop does.

Rules: MIX-19, MIX-21, MIX-22.
"""

import math
import secrets
from random import Random  # noqa: TID251 - a test must run the same every time
from typing import Any

import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.mixing import outbox
from logos_mixnet.core.mixing.cover import LAPTOP, Profile
from logos_mixnet.core.mixing.errors import (
    DestinationUnknownError,
    PoolTooSmallError,
    QueueFullError,
)
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.sender import (
    AWAY_MS,
    COVER_CODEC,
    Depart,
    Effects,
    Outgoing,
    Sender,
)
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.sphinx.errors import MessageTooLargeError
from logos_mixnet.core.sphinx.fragments import FRAGMENT_CODEC, Reassembly, Whole
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES
from logos_mixnet.core.sphinx.header import Hop
from logos_mixnet.core.sphinx.message import MixMessage, unpad
from logos_mixnet.core.sphinx.packet import Exit, Relay, receive, unwrap
from logos_mixnet.core.sphinx.primitives import public_key

QUIET = Profile("quiet", 10, 10**12, 1_000)
"""So few loops that a test of own messages meets none."""
MESSAGE = MixMessage("/test/1.0.0", b"\x00hello").encode()


class Net:
    """Mixes whose keys are known to the test."""

    def __init__(self, count: int = 8, profile: Profile = QUIET) -> None:
        self.keys = {address(number): bytes([number]) * 32 for number in range(1, count + 1)}
        mixes = [
            Mix(f"peer{number}", Hop(public_key(key), at))
            for number, (at, key) in enumerate(self.keys.items(), 1)
        ]
        self.peers = {mix.hop.address: mix.peer_id for mix in mixes}
        self.pool = Pool()
        self.pool.update(mixes)
        self.sender = Sender(
            mixes[0],
            self.pool,
            profile,
            rng=Random(11),  # noqa: S311
            random_bytes=secrets.token_bytes,
            now_ms=0,
        )

    def follow(self, depart: Depart) -> tuple[list[str], MixMessage]:
        """Carries a packet to its exit; returns the hops and what arrived."""
        at, packet, hops = depart.first_hop, depart.packet, []
        while True:
            hops.append(self.peers[at])
            content = unwrap(receive(packet, self.keys[at]))
            if not isinstance(content, Relay):
                assert isinstance(content, Exit)
                assert content.is_here
                return hops, MixMessage.decode(unpad(content.message))
            at, packet = content.next_hop, content.packet

    def run(self, until_ms: int) -> list[tuple[int, Any]]:
        """Lets time pass; every packet leaves. Returns effects with their times."""
        found: list[tuple[int, Any]] = []
        while (wake_ms := self.sender.next_wake_ms()) is not None and wake_ms <= until_ms:
            effects: Effects = self.sender.tick(wake_ms)
            for effect in effects:
                found.append((wake_ms, effect))
                if isinstance(effect, Depart):
                    after = self.sender.departed(effect.number, wake_ms)
                    found += [(wake_ms, one) for one in after]
        return found


def address(number: int) -> bytes:
    return bytes([number]) * ADDRESS_BYTES


def outgoing(message: bytes = MESSAGE, redundancy: int = 1, to: str = "peer5") -> Outgoing:
    return Outgoing(message, to, 1_000, redundancy)


def test_a_message_arrives_at_its_destination_and_is_answered_for() -> None:
    net = Net()
    assert net.sender.send(Ticket(1), outgoing(), 0) == []
    [(_, depart), (_, answer)] = net.run(10**6)
    hops, message = net.follow(depart)
    assert answer == Answer(Ticket(1), 1)
    assert message.encode() == MESSAGE
    assert hops[-1] == "peer5"
    assert len({*hops, "peer1"}) == 4
    assert depart.purpose is Purpose.OWN


def test_a_long_message_leaves_without_a_burst_and_is_whole_at_its_destination() -> None:
    net, message = Net(), MixMessage("/test/1.0.0", b"\x00" + secrets.token_bytes(500_000)).encode()
    net.sender.send(Ticket(1), outgoing(message), 0)
    effects = net.run(10**6)
    times = [at for at, effect in effects if isinstance(effect, Depart)]
    reassembly, whole = Reassembly(), []
    for _, effect in effects:
        if isinstance(effect, Depart):
            fragment = net.follow(effect)[1]
            assert fragment.codec == FRAGMENT_CODEC
            whole += [one for one in reassembly.arrived(fragment.body, 0) if isinstance(one, Whole)]
    assert [one.message for one in whole] == [message]
    assert effects[-1][1] == Answer(Ticket(1), len(times))
    # P9: Kolmogorov-Smirnov against the law of delays, p > 0.01
    distance = max(
        abs(1 - math.exp(-at / 1_000) - place / len(times)) for place, at in enumerate(times)
    )
    assert distance < 1.63 / math.sqrt(len(times))


def test_each_copy_takes_a_path_of_its_own() -> None:
    net = Net(count=30)
    net.sender.send(Ticket(1), outgoing(redundancy=3), 0)
    departs = [effect for _, effect in net.run(10**6) if isinstance(effect, Depart)]
    assert len({tuple(net.follow(one)[0]) for one in departs}) == 3


@pytest.mark.parametrize("to", ["peer1", "peer99"])
def test_a_destination_that_is_no_other_mix_is_refused(to: str) -> None:
    with pytest.raises(DestinationUnknownError):
        Net().sender.send(Ticket(1), outgoing(to=to), 0)


def test_a_pool_without_other_hops_is_too_small() -> None:
    with pytest.raises(PoolTooSmallError):
        Net(count=3).sender.send(Ticket(1), outgoing(to="peer3"), 0)


def test_a_destination_that_goes_away_fails_its_message_once() -> None:
    net = Net()
    net.sender.send(Ticket(1), outgoing(redundancy=3), 0)
    net.pool.update([])
    assert [type(effect) for _, effect in net.run(10**6)] == [Refuse]


def test_a_packet_that_cannot_leave_refuses_its_message_and_frees_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "MAX_QUEUED_BYTES", 2 * len(MESSAGE))
    net = Net()
    net.sender.send(Ticket(1), outgoing(redundancy=2), 0)
    with pytest.raises(QueueFullError):
        net.sender.send(Ticket(2), outgoing(), 0)
    [depart, *_] = net.sender.tick(10**6)
    assert isinstance(depart, Depart)
    [refused] = net.sender.not_departed(depart.number, QueueFullError("no"), 10**6)
    assert isinstance(refused, Refuse)
    net.sender.send(Ticket(3), outgoing(redundancy=2), 10**6)


def loops(net: Net, until_ms: int) -> list[tuple[int, Depart]]:
    found = [(at, effect) for at, effect in net.run(until_ms) if isinstance(effect, Depart)]
    assert all(effect.purpose is Purpose.COVER for _, effect in found)
    return found


def test_loops_end_at_this_node_and_what_comes_back_is_counted() -> None:
    net = Net(profile=LAPTOP)
    found = loops(net, 600_000)
    assert len(found) > 50
    for at, effect in found:
        hops, message = net.follow(effect)
        assert (hops[-1], message.codec) == ("peer1", COVER_CODEC)
        net.sender.came_back(message.body, at)
    assert net.sender.loops_back == len(found) - net.sender.loops_lost
    net.sender.came_back(secrets.token_bytes(32), 0)
    assert net.sender.loops_back + net.sender.loops_lost == len(found)


def test_a_mix_that_loses_loops_is_found_out() -> None:
    net, lossy = Net(profile=LAPTOP), "peer4"
    waiting: list[tuple[int, list[str], bytes]] = []
    for at, effect in loops(net, 3_000):
        waiting.append((at, *_known(net, effect)))
    for round_ms in range(10_000, 6_000_000, 10_000):
        waiting += [(at, *_known(net, effect)) for at, effect in loops(net, round_ms)]
        for _, hops, loop_id in waiting:
            if lossy not in hops:
                net.sender.came_back(loop_id, round_ms)
        waiting.clear()
    usable = [mix.peer_id for mix in net.pool.usable(3)]
    assert net.sender.loops_lost > 0
    assert lossy not in usable
    assert len(usable) == 7


def _known(net: Net, effect: Depart) -> tuple[list[str], bytes]:
    hops, message = net.follow(effect)
    return hops, message.body


def test_a_loop_that_was_left_out_counts_against_no_mix() -> None:
    net = Net(profile=LAPTOP)
    while True:
        wake_ms = net.sender.next_wake_ms()
        assert wake_ms is not None
        if effects := net.sender.tick(wake_ms):
            break
    [depart] = effects
    assert isinstance(depart, Depart)
    net.sender.not_departed(depart.number, QueueFullError("no id"), wake_ms)
    net.run(wake_ms + 10**6)
    first = net.follow(depart)[0][0]
    assert net.sender.loops_skipped == 1
    assert net.pool.availability(first) <= 1


def test_without_other_mixes_no_loop_is_sent() -> None:
    net = Net(count=2, profile=LAPTOP)
    assert loops(net, 60_000) == []
    assert net.sender.loops_skipped > 0


@pytest.mark.parametrize(("count", "foreseen"), [(1, 0), (2, 0), (3, 1)])
def test_a_loop_is_foreseen_only_where_there_are_mixes_for_it(count: int, foreseen: int) -> None:
    """RLN-25: no proof is prepared for one that is skipped."""
    net = Net(count=count, profile=LAPTOP)
    assert net.sender.leaving(10**9) == foreseen
    assert net.sender.leaving(0) == 0


def test_p7_the_way_of_an_answer_does_not_touch_who_is_asked_and_ends_here() -> None:
    net = Net()
    for block in net.sender.reply_blocks(50, "peer5", 1_000):
        assert block.way.hops[-1] == "peer1"
        assert "peer5" not in block.way.hops
        assert len(set(block.way.hops)) == 3
        assert block.surb.first_hop == net.pool.mix(block.way.hops[0]).hop.address


def test_a_probe_knows_its_hops_by_their_tags() -> None:
    net = Net()
    probe = net.sender.probe("peer5", MESSAGE, 1_000)
    at, packet = probe.made.first_hop, probe.made.packet
    for peer, tag in zip(probe.way.hops, probe.way.tags, strict=True):
        assert net.peers[at] == peer
        received = receive(packet, net.keys[at])
        assert received.replay_tag[:16] == tag
        content = unwrap(received)
        if isinstance(content, Relay):
            at, packet = content.next_hop, content.packet
    assert peer == "peer5"


def test_a_probe_leaves_not_before_its_wait_is_over() -> None:
    net = Net()
    probe = net.sender.probe("peer5", MESSAGE, 1)
    assert net.sender.send_made(Ticket(1), probe.made, 1, 5_000, 0) == []
    [(at_ms, depart), (_, answer)] = net.run(10**6)
    assert 5_000 <= at_ms < 5_020
    assert depart.packet == probe.made.packet
    assert answer == Answer(Ticket(1), 1)


@pytest.mark.parametrize(("blocks", "size", "packets"), [(1, 9, 1), (5, 9, 2), (5, 9_000, 5)])
def test_an_answer_travels_twice_where_it_has_the_blocks(
    blocks: int, size: int, packets: int
) -> None:
    net = Net()
    surbs = [block.surb for block in net.sender.reply_blocks(blocks, "peer5", 1_000)]
    net.sender.answer(Ticket(1), surbs, bytes(size), 1_000, 0)
    found = [effect for _, effect in net.run(10**6)]
    assert [one for one in found if isinstance(one, Answer)] == [Answer(Ticket(1), packets)]
    departs = [one for one in found if isinstance(one, Depart)]
    assert {one.first_hop for one in departs} <= {surb.first_hop for surb in surbs}


def test_an_answer_to_a_ping_leaves_at_once() -> None:
    net = Net()
    surbs = [block.surb for block in net.sender.reply_blocks(1, "peer5", 1_000)]
    [depart] = net.sender.answer(Ticket(1), surbs, bytes(32), 0, 77)
    assert isinstance(depart, Depart)


def test_an_answer_that_needs_more_blocks_is_refused() -> None:
    net = Net()
    surbs = [block.surb for block in net.sender.reply_blocks(2, "peer5", 1_000)]
    with pytest.raises(MessageTooLargeError):
        net.sender.answer(Ticket(1), surbs, bytes(9_000), 0, 0)


def test_no_path_goes_over_a_mix_without_a_link_for_a_while() -> None:
    net = Net()
    net.sender.link_down("peer2", 0)
    net.sender.link_down("peer3", 0)
    net.sender.link_up("peer3", 0)
    net.sender.link_down("nobody", 0)
    hops = {hop for _ in range(50) for hop in net.sender.probe("peer5", MESSAGE, 1_000).way.hops}
    assert hops == {f"peer{number}" for number in range(3, 9)}
    net.sender.link_down("peer3", AWAY_MS)
    hops = {hop for _ in range(50) for hop in net.sender.probe("peer5", MESSAGE, 1_000).way.hops}
    assert "peer2" in hops


def test_where_too_few_have_a_link_paths_go_over_the_others_too() -> None:
    net = Net(4)
    for peer in ("peer2", "peer3"):
        net.sender.link_down(peer, 0)
    assert set(net.sender.probe("peer4", MESSAGE, 1_000).way.hops) == {"peer2", "peer3", "peer4"}


def test_m10_any_mix_may_be_the_one_that_hands_over() -> None:
    net, there = Net(), bytes([99]) * ADDRESS_BYTES
    net.sender.send(Ticket(1), Outgoing(MESSAGE, "", 1_000, handed_to=there), 0)
    [(_, depart), _] = net.run(10**6)
    at, packet = depart.first_hop, depart.packet
    while isinstance(content := unwrap(receive(packet, net.keys[at])), Relay):
        at, packet = content.next_hop, content.packet
    assert isinstance(content, Exit)
    assert content.destination == there
