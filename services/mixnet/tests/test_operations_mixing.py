"""Mixes of several nodes on fake hosts: messages, answers, pings, loops, and what may fail."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from mixnet_mixes import QUIET, MemoryMixStore, RunningMix, meet, mixes, running_mix

from logos_base.machine import Answer
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.mixing import relay
from logos_mixnet.core.mixing.anonymity import Floor
from logos_mixnet.core.mixing.cover import Profile
from logos_mixnet.core.mixing.deliveries import Delivery
from logos_mixnet.core.mixing.errors import (
    AnonymityTooLowError,
    CodecTakenError,
    DestinationUnknownError,
    InvalidCodecError,
    LinkDownError,
    NoAnswerError,
    PoolTooSmallError,
    ReplyTokenUnknownError,
)
from logos_mixnet.core.mixing.relay import PROOF_BYTES
from logos_mixnet.core.rln.errors import ProofLateError
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.sphinx.errors import MessageTooLargeError
from logos_mixnet.core.sphinx.geometry import PACKET_BYTES
from logos_mixnet.operations.mix_calls import Departed, Parcel, Planned, Returned, answer_room

CODEC = "/test/1.0.0"


@pytest.fixture
async def five() -> AsyncIterator[list[RunningMix]]:
    async with mixes() as found:
        yield found


def parcel(to: RunningMix, content: bytes = b"hello", redundancy: int = 1) -> Parcel:
    return Parcel(to.peer_id, CODEC, content, 5, redundancy)


async def first(messages: AsyncIterator[Delivery]) -> Delivery:
    async with asyncio.timeout(60):
        return await anext(messages)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - several nodes' machines
            await asyncio.sleep(0.02)


async def settled(mix: RunningMix) -> None:
    """Waits until all that was put before has been worked off."""
    with pytest.raises(ReplyTokenUnknownError):
        await mix.mixing.delivering.ask(mix.mixing.deliveries.claim, b"")


async def test_a_message_arrives_and_says_nothing_of_its_sender(five: list[RunningMix]) -> None:
    async with five[4].calls.listen(CODEC) as messages:
        assert (await five[0].calls.send(parcel(five[4]))).packets == 1
        assert await first(messages) == Delivery(b"hello")
    assert sum(mix.mixing.relay.forwarded for mix in five[1:4]) == 2
    assert [mix.mixing.relay.dropped for mix in five] == [{}] * 5


async def test_a_message_of_100_kb_is_whole_at_its_destination(five: list[RunningMix]) -> None:
    """mixnet.md 11, P9, but for the times of its packets (test_core_sender.py)."""
    content = secrets.token_bytes(100_000)
    async with five[4].calls.listen(CODEC) as messages:
        assert (await five[0].calls.send(parcel(five[4], content))).packets > 25
        assert (await first(messages)).content == content


async def test_a_request_is_answered_over_its_reply_blocks(five: list[RunningMix]) -> None:
    async with five[3].calls.listen(CODEC) as messages, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(five[0].calls.request(parcel(five[3], b"2 + 2"), 2))
        message = await first(messages)
        assert message.content == b"2 + 2"
        assert await five[3].calls.reply(message.reply_token, b"4", 5) == 2
        answered = await asking
        with pytest.raises(ReplyTokenUnknownError):
            await five[3].calls.reply(message.reply_token, b"5", 5)
    assert answered.content == b"4"
    assert five[0].mixing.deliveries.awaited == 0


async def test_an_answer_in_fragments_is_whole(five: list[RunningMix]) -> None:
    async with five[3].calls.listen(CODEC) as messages, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(five[0].calls.request(parcel(five[3]), 8))
        message = await first(messages)
        content = secrets.token_bytes(answer_room(8))
        await five[3].calls.reply(message.reply_token, content, 5)
        assert (await asking).content == content


async def test_an_answer_that_needs_more_blocks_is_refused(five: list[RunningMix]) -> None:
    async with five[3].calls.listen(CODEC) as messages, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(five[0].calls.request(parcel(five[3]), 2))
        message = await first(messages)
        with pytest.raises(MessageTooLargeError):
            await five[3].calls.reply(message.reply_token, bytes(answer_room(2) + 1), 5)
        asking.cancel()


async def test_a_request_that_nobody_answers_ends(five: list[RunningMix]) -> None:
    with pytest.raises(NoAnswerError):
        await five[0].calls.request(parcel(five[3]), 1, wait_s=0.2)
    await settled(five[0])
    assert five[0].mixing.deliveries.awaited == 0


async def test_a_ping_tells_its_path_before_it_leaves_and_can_be_watched(
    five: list[RunningMix],
) -> None:
    by_peer = {mix.peer_id: mix for mix in five}
    ping = five[0].calls.ping(five[3].peer_id, 5, 0)
    planned = await anext(ping)
    assert isinstance(planned, Planned)
    assert planned.forward.hops[-1] == five[3].peer_id
    assert planned.back.hops[-1] == five[0].peer_id
    assert len(set(planned.forward.hops)) == 3
    assert not set(planned.back.hops) & {five[3].peer_id}
    steps: dict[str, list[relay.Step]] = {}
    with (
        by_peer[planned.forward.hops[0]].mixing.trace([planned.forward.tags[0]]) as at_first,
        by_peer[planned.forward.hops[2]].mixing.trace([planned.forward.tags[2]]) as at_last,
    ):
        assert isinstance(await anext(ping), Departed)
        assert isinstance(await anext(ping), Returned)
        for name, seen in (("first", at_first), ("last", at_last)):
            steps[name] = [(await anext(seen))[1].step for _ in range(2)]
    assert steps == {
        "first": [relay.Step.HELD, relay.Step.FORWARDED],
        "last": [relay.Step.HELD, relay.Step.DELIVERED],
    }
    assert all(not mix.mixing.relay.traced for mix in five)


async def test_copies_of_a_message_are_delivered_once(five: list[RunningMix]) -> None:
    async with five[4].calls.listen(CODEC) as messages:
        assert (await five[0].calls.send(parcel(five[4], redundancy=3))).packets == 3
        await five[0].calls.send(parcel(five[4], b"last"))
        found = {(await first(messages)).content, (await first(messages)).content}
        assert found == {b"hello", b"last"}
        await until(lambda: five[4].mixing.deliveries.dropped["MIX_COPY"] == 2)
        assert not messages._take()


async def test_loops_come_back() -> None:
    async with mixes(profile=Profile("busy", 100, 1_000, 5)) as found:
        await until(lambda: all(mix.mixing.sender.loops_back >= 3 for mix in found))


async def test_m11_with_one_relay_of_five_away_everything_arrives(
    five: list[RunningMix],
) -> None:
    """Acceptance 7. Who loses the link to a mix draws no path over it."""
    async with five[4].calls.listen(CODEC) as messages:
        while five[1].peer_id not in five[0].mixing.links.peers:
            await five[0].calls.send(parcel(five[4]))
            assert (await first(messages)).content == b"hello"
        five[1].host.close()
        for number in range(20):
            await five[0].calls.send(parcel(five[4], bytes([number]), redundancy=2))
        found = {(await first(messages)).content for _ in range(20)}
    assert found == {bytes([number]) for number in range(20)}


async def test_a_relay_whose_disk_is_full_says_so_and_goes_on_when_it_is_not(
    five: list[RunningMix],
) -> None:
    for mix in five[1:4]:
        mix.store.failure = StoreError("the disk is full")
    async with five[4].calls.listen(CODEC) as messages:
        await five[0].calls.send(parcel(five[4]))
        await until(lambda: any(mix.mixing.relay.trouble for mix in five))
        for mix in five:
            mix.store.failure = None
        assert (await first(messages)).content == b"hello"
    assert not any(mix.mixing.relay.trouble for mix in five)


async def test_p4_a_packet_is_not_taken_twice_after_a_restart() -> None:
    async with mixes(4) as found:
        board, store = found[0].host.board, MemoryMixStore()
        sent: list[bytes] = []
        async with running_mix(board, 9, store) as relaying:
            meet([*found, relaying])
            relaying.mixing.links._arrived = (  # type: ignore[method-assign]
                lambda peer, frame, took=relaying.mixing._arrived: (
                    sent.append(frame),
                    took(peer, frame),
                )[1]
            )
            async with asyncio.timeout(60):
                while relaying.mixing.relay.forwarded < 1:
                    await found[0].calls.send(parcel(found[1], redundancy=5))
                    await asyncio.sleep(0.01)
        async with running_mix(board, 9, store) as again:
            for frame in sent:
                again.mixing._arrived("peer", frame)
            await again.mixing.relaying.ask(lambda ticket, _now: [Answer(ticket)])
            assert again.mixing.relay.dropped["MIX_PACKET_REPEATED"] == len(sent)
            assert again.mixing.relay.forwarded == 0


async def test_a_key_rotates_and_packets_for_the_one_before_are_still_taken() -> None:
    async with mixes(5, key_epoch_ms=1_500) as found:
        before = [mix.as_mix for mix in found]
        await until(lambda: not {mix.as_mix for mix in found} & set(before))
        async with found[4].calls.listen(CODEC) as messages:
            async with asyncio.timeout(60):
                while not messages._take():
                    meet(found)  # the newest keys, which may be those of before a moment later
                    await found[0].calls.send(parcel(found[4]))
                    await asyncio.sleep(0.05)
        assert all(len(mix.store.keys) <= 3 for mix in found)


async def test_m10_a_message_is_handed_over_to_a_node_that_is_no_mix() -> None:
    async with mixes(4, is_exit=True) as found:
        outside_host = found[0].host.board
        async with running_mix(outside_host, 20) as outside:
            there = MixAddress("127.0.0.1", 50_020, outside.peer_id).encode()
            async with (
                outside.streams.listen("/echo/1.0.0") as streams,
                asyncio.TaskGroup() as tasks,
            ):
                asking = tasks.create_task(
                    found[0].calls.request(
                        Parcel(outside.peer_id, "/echo/1.0.0", b"over there?", 5, handed_to=there),
                        2,
                    )
                )
                async with asyncio.timeout(60):
                    stream = outside.streams.accept((await anext(streams)).stream_id)
                    pieces = await stream.read()
                    assert await stream.read() == []
                await stream.write(b"yes: " + b"".join(pieces))
                stream.close_write()
                assert (await asking).content == b"yes: over there?"


async def test_m10_no_mix_hands_over_unless_its_settings_say_so(five: list[RunningMix]) -> None:
    there = MixAddress("127.0.0.1", 50_020, five[1].peer_id).encode()
    await five[0].calls.send(Parcel("", CODEC, b"x", 5, handed_to=there))
    await until(lambda: any(mix.mixing.deliveries.dropped["MIX_EXIT_REFUSED"] for mix in five))


async def test_what_cannot_be_sent_is_refused(five: list[RunningMix]) -> None:
    calls = five[0].calls
    with pytest.raises(DestinationUnknownError):
        await calls.send(Parcel(five[0].peer_id, CODEC, b"", 5))
    with pytest.raises(InvalidCodecError):
        await calls.send(Parcel(five[1].peer_id, "/mix/cover/1.0.0", b"", 5))
    with pytest.raises(InvalidCodecError):
        await calls.send(Parcel(five[1].peer_id, "", b"", 5))
    with pytest.raises(MessageTooLargeError):
        await calls.send(parcel(five[1], bytes(1 << 20) + b"\0"))
    async with five[0].calls.listen(CODEC):
        with pytest.raises(CodecTakenError):
            async with calls.listen(CODEC):
                pass
    five[0].mixing.mixes_changed([mix.as_mix for mix in five[:3]])
    with pytest.raises(PoolTooSmallError):
        await calls.send(parcel(five[1]))


@pytest.mark.parametrize("is_firm", [True, False])
async def test_a_message_below_its_floor_is_refused_or_its_sender_warned(
    five: list[RunningMix], *, is_firm: bool
) -> None:
    """MIX-35: these mixes have no cover, so nothing hides a message."""
    calls, to, floor = five[0].calls, five[4], Floor(0.5, is_firm=is_firm)
    demanding = replace(parcel(to), floor=floor)

    if is_firm:
        with pytest.raises(AnonymityTooLowError, match=r"0\.0 bits now, 0\.5 are asked for"):
            await calls.send(demanding)
        with pytest.raises(AnonymityTooLowError):
            await calls.request(demanding, 1)
        with pytest.raises(AnonymityTooLowError):
            await anext(calls.ping(to.peer_id, 5, 0, floor=floor))
        assert five[0].mixing.sender.outbox.due_ms() is None
        return
    assert (await calls.send(demanding)).hidden.is_below_floor
    assert not (await calls.send(parcel(to))).hidden.is_below_floor
    async for step in calls.ping(to.peer_id, 5, 0, floor=floor):
        assert not isinstance(step, Planned) or step.hidden.is_below_floor


async def test_where_no_mix_can_be_reached_the_message_is_refused(five: list[RunningMix]) -> None:
    for mix in five[1:]:
        mix.host.close()
    with pytest.raises(LinkDownError):
        await five[0].calls.send(parcel(five[4]))
    assert QUIET.hops == 3


class Still:
    """An intake that reads one packet of a peer."""

    def taken(self, _peer_id: str, _now_ms: int) -> float:
        return 3_600_000.0


async def test_a_peer_that_goes_while_it_is_not_read_leaves_nothing() -> None:
    async with mixes(2, intake=Still()) as (one, two):
        await settled(one)
        for _ in range(3):
            await one.mixing.links.send(two.address, bytes(PACKET_BYTES))
        await until(lambda: bool(two.mixing.links._resting))

        two.mixing.disconnected(one.peer_id)

        await until(lambda: not two.mixing.links._reading)
        assert not two.mixing.links._resting
        assert two.mixing.relay.dropped.total() == 1


class LateGuard:
    """A guard of whose proofs some, as many of a purpose as it is told, come too late."""

    def __init__(self, late: dict[Purpose, int]) -> None:
        self.late = Counter(late)
        self.made: Counter[Purpose] = Counter()
        self.foreseen = 0
        self._purposes: dict[bytes, Purpose] = {}

    async def check(self, packet: bytes, proof: bytes) -> None:
        pass

    async def prove(self, packet: bytes, purpose: Purpose) -> bytes:
        self.made[purpose] += 1
        proof = secrets.token_bytes(PROOF_BYTES)
        self._purposes[proof] = purpose
        return proof

    def is_fresh(self, proof: bytes) -> bool:
        purpose = self._purposes[proof]
        self.late[purpose] -= 1
        return self.late[purpose] < 0

    def foresee(self) -> None:
        self.foreseen += 1


async def test_a_packet_whose_proof_came_late_leaves_with_another() -> None:
    """RLN-38."""
    guard = LateGuard({Purpose.OWN: 2})
    async with mixes(guard=guard) as found, found[4].calls.listen(CODEC) as messages:
        assert (await found[0].calls.send(parcel(found[4]))).packets == 1
        assert await first(messages) == Delivery(b"hello")
    assert guard.made[Purpose.OWN] == 3


async def test_proofs_are_prepared_as_soon_as_packets_have_come() -> None:
    """RLN-25: what a mix has taken in leaves soon, maybe before it looks at the clock."""
    guard = LateGuard({})
    async with mixes(guard=guard) as found, found[4].calls.listen(CODEC) as messages:
        await found[0].calls.send(parcel(found[4]))
        await first(messages)
    hops = found[0].mixing.profile.hops
    assert guard.foreseen >= hops


async def test_a_message_for_which_each_proof_came_late_is_refused() -> None:
    async with mixes(guard=LateGuard({Purpose.OWN: 100})) as found:
        with pytest.raises(ProofLateError):
            await found[0].calls.send(parcel(found[4]))
        assert found[0].mixing.sender.outbox.queued_bytes == 0


async def test_a_forward_whose_proof_came_late_is_dropped_and_counted() -> None:
    guard = LateGuard({Purpose.FORWARD: 1})
    async with mixes(guard=guard) as found, found[4].calls.listen(CODEC) as messages:
        await found[0].calls.send(parcel(found[4], b"lost"))
        await until(lambda: any(mix.mixing.relay.dropped for mix in found))
        await found[0].calls.send(parcel(found[4]))
        assert await first(messages) == Delivery(b"hello")
        dropped = sum((mix.mixing.relay.dropped for mix in found), Counter())
    assert dropped == {"RLN_PROOF_LATE": 1}
    assert guard.made[Purpose.FORWARD] == 3


async def test_m10_an_answer_whose_way_begins_with_who_sends_it_comes_back(
    five: list[RunningMix],
) -> None:
    """MIX-28: a hop that is the node itself is no link."""
    asking, answering = five[0], five[1]
    own = answering.as_mix.hop.address
    sender = asking.mixing.sender
    blocks = sender.reply_blocks(40, "", 5)
    [block, *_] = [each for each in blocks if each.surb.first_hop == own]
    async with asking.calls._expecting([block]) as request:
        await answering.mixing.sending.ask(
            answering.mixing.sender.answer, [block.surb], b"by itself", 0
        )
        assert await asking.calls._answer(request, 60) == b"by itself"
