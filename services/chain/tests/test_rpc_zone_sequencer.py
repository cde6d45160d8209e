"""ZON-21 to ZON-24: a zone is run by calls, with a key that the node never has."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from chain_kept import KeptSequencers
from chain_ledger import CHANNEL, named
from chain_rpc import Served, ServedNode, first, refused, served
from chain_world import until
from chain_zone_caller import KEY, OTHER, begun, calling, public
from chain_zones import empty, payload

from logos.chain.v1 import chain_pb2
from logos.chain.v1 import zone_pb2 as pb
from logos_chain.core.consensus.types import BlockId
from logos_chain.operations.zones import signing, writing
from logos_mantle.octets import ZERO
from logos_mantle.transactions import Transaction
from logos_zone_sdk.core import sequencing
from logos_zone_sdk.core.events import Finalized, Included
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Checkpoint


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


async def failed(stream: Any) -> tuple[str, str]:
    async def read() -> None:
        while await stream.read() is not grpc.aio.EOF:
            pass

    return await refused(asyncio.wait_for(read(), 20))


async def channel_of(node: Served) -> list[bytes]:
    """Payloads of the channel's final messages."""
    request = pb.ScanRequest(channel=CHANNEL)
    return [payload(each) async for each in node.indexer.Scan(request) if each.HasField("message")]


async def include(node: Served, name: str, count: int) -> None:
    """Takes a block once so many transactions wait."""
    await until(lambda: node.rooms.mempool.count >= count)
    await node.include(name)


# -- the way of a payload --------------------------------------------------------------------------


async def test_a_payload_is_pending_signed_included_and_final(node: Served) -> None:
    """ZON-22, ZON-23."""
    async with calling(node) as caller:
        [opened] = await caller.next("opened")
        assert (opened.next_number, list(opened.pending)) == (0, [])
        assert (await caller.next("ready"))[0].last_message == ZERO
        await caller.payload(0, b"one")
        await caller.payload(1, b"two")
        [sign] = await caller.next("sign")
        signed = Transaction.decode(sign.transaction)
        assert signed.hash == sign.hash
        assert signed.operations[0].inscription == b"one"  # type: ignore[union-attr]
        submitted = await caller.next("submitted", 2)
        assert [each.number for each in submitted] == [0, 1]
        await include(node, "a", 2)
        included = await caller.next("included", 2)
        assert [each.number for each in included] == [0, 1]
        assert {each.block.id for each in included} == {node.tip.id}
        await empty(node, "after", 2)
        [finalized] = await caller.next("finalized")
        assert [each.number for each in finalized.messages] == [0, 1]
        assert [each.id for each in finalized.messages] == [each.message for each in submitted]
        kinds = [each.WhichOneof("event") for each in caller.heard]
        assert kinds.index("pending") < kinds.index("sign") < kinds.index("submitted")
        assert len(caller.signed) == 2
        await caller.end()
    assert await channel_of(node) == [b"one", b"two"]
    kept = node.node.sequencers.checkpoints[CHANNEL, public(KEY)]
    assert (kept.pending, kept.next_number) == ((), 2)


async def test_numbers_make_sending_again_harmless(node: Served) -> None:
    """ZON-22."""
    async with calling(node) as caller:
        await caller.next("ready")
        for number in (0, 0, 2, 1, 0):
            await caller.payload(number, b"%d" % number)
        await caller.next("pending", 2)
        [gap] = await caller.next("refused")
        assert (gap.number, gap.reason, gap.next_number) == (2, "ZONE_NUMBER_GAP", 1)
        assert [each.number for each in await caller.next("pending", 2)] == [1, 0]
        await caller.payload(2, bytes(1_835_009))
        [long] = await caller.next("refused")
        assert (long.reason, long.next_number) == ("ZONE_PAYLOAD_TOO_LONG", 2)
        await caller.until(lambda: node.rooms.mempool.count == 2)
        await include(node, "a", 2)
        await empty(node, "after", 2)
        await caller.next("finalized")
    assert await channel_of(node) == [b"0", b"1"]


async def test_a_payload_whose_block_leaves_the_chain_is_written_again(node: Served) -> None:
    """ZON-7, ZON-11: with the message and the signature that it had."""
    async with calling(node) as caller:
        await caller.next("ready")
        base = node.tip
        await caller.payload(0, b"one")
        await caller.next("submitted")
        await include(node, "a", 1)
        [before] = await caller.next("included")

        await node.take(*node.world.chain(base, "other", 2))
        await include(node, "again", 1)

        [after] = await caller.next("included")
        assert after.message == before.message
        assert after.block.id == node.tip.id != before.block.id
        await empty(node, "after", 2)
        await caller.next("finalized")
        assert len(caller.signed) == 1
    assert await channel_of(node) == [b"one"]


async def test_messages_of_others_are_adopted_and_orphaned(node: Served) -> None:
    """ZON-9, ZON-10."""
    keys = [public(KEY), public(OTHER)]
    created = await node.sequencer.CreateChannel(
        pb.CreateChannelRequest(channel=CHANNEL, keys=keys, posting_timeframe_slots=3)
    )
    assert node.rooms.mempool.get(created.hash) is not None
    await include(node, "channel", 1)
    await empty(node, "final", 2)
    found = await node.chain.GetChannel(chain_pb2.GetChannelRequest(id=CHANNEL))
    assert list(found.keys) == keys
    async with calling(node, KEY) as one, calling(node, OTHER) as two:
        for caller, text in ((one, b"one"), (two, b"two")):
            await caller.next("ready")
            await caller.payload(0, text)
            await caller.next("pending")
        ready = asyncio.gather(one.next("finalized", 2), two.next("finalized", 2))
        for at in range(30):
            if ready.done():
                break
            await node.include(f"turns {at}")
            await asyncio.sleep(0.05)
        told = await ready
        adopted = [each.adopted for each in one.heard if each.WhichOneof("event") == "adopted"]
    assert [payload(each) for each in adopted] == [b"two"]
    numbers = [
        each.number if each.HasField("number") else None for one in told[0] for each in one.messages
    ]
    assert sorted(numbers, key=str) == [0, None]
    assert sorted(await channel_of(node)) == [b"", b"one", b"two"]


# -- restarts --------------------------------------------------------------------------------------


async def test_what_was_taken_is_written_after_a_restart_of_both() -> None:
    """ZON-22, ZON-24: the first call ends before anything was signed, the second before a block."""
    kept = ServedNode()
    try:
        async with asyncio.timeout(60):
            async with kept.up() as node:
                await node.online()
                await node.settle()  # what the wallet cannot pay yet waits for the clock
                async with calling(node, signs=False) as caller:
                    await caller.next("ready")
                    for each in range(3):
                        await caller.payload(each, b"%d" % each)
                    await caller.next("pending", 3)
            async with kept.up() as node:
                await node.online()
                await node.settle()  # what the wallet cannot pay yet waits for the clock
                async with calling(node) as caller:
                    [opened] = await caller.next("opened")
                    assert (opened.next_number, list(opened.pending)) == (3, [0, 1, 2])
                    await caller.next("submitted", 2)
                await until(lambda: not node.rooms.write._open)
                assert len(node.rooms.wallet.waiting()) == node.rooms.mempool.count
                async with calling(node) as caller:
                    await caller.payload(3, b"3")
                    await caller.next("pending")
                    await caller.until(lambda: node.rooms.mempool.count == 3)
                    await node.include("a")
                    kept.clock.ms += 6_000  # what found no note to pay with is given again
                    await caller.payload(4, b"4")
                    await caller.until(lambda: node.rooms.mempool.count == 2)
                    await node.include("b")
                    await empty(node, "after", 2)
                    await caller.next("finalized", 2)
                assert await channel_of(node) == [b"%d" % each for each in range(5)]
    finally:
        kept.close()


async def test_a_payload_that_cannot_be_kept_ends_the_call(node: Served) -> None:
    """ZON-5: it was not taken."""
    node.node.sequencers.fails = True
    async with calling(node) as caller:
        await caller.next("ready")
        await caller.payload(0, b"one")
        assert await failed(caller.stream) == ("UNAVAILABLE", "STORE_FAILED")
    await until(lambda: not node.rooms.write._open)
    assert not node.rooms.mempool.count
    node.node.sequencers.fails = False
    async with calling(node) as caller:
        assert (await caller.next("opened"))[0].next_number == 0


# -- keys and signatures ---------------------------------------------------------------------------


async def test_a_caller_proves_that_it_has_the_key(node: Served) -> None:
    """ZON-21."""
    stream, challenge = await begun(node)
    signature = OTHER.sign(writing.proven_by(CHANNEL, challenge))
    await stream.write(pb.PublishRequest(proof=pb.PublishRequest.Proof(signature=signature)))
    assert await failed(stream) == ("INVALID_ARGUMENT", "ZONE_SIGNATURE_INVALID")
    stream, _ = await begun(node)
    await stream.write(pb.PublishRequest(payload=pb.PublishRequest.Payload()))
    assert await failed(stream) == ("INVALID_ARGUMENT", "ZONE_REQUEST_UNEXPECTED")
    for wrong in ({"key": b"?"}, {"channel": b"?"}):
        stream = node.sequencer.Publish()
        opening = pb.PublishRequest.Open(**{"channel": CHANNEL, "key": public(KEY)} | wrong)
        await stream.write(pb.PublishRequest(open=opening))
        assert await failed(stream) == ("INVALID_ARGUMENT", "INVALID_ID")
    assert not node.rooms.write._open


async def test_a_message_is_asked_for_again_until_it_is_signed(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-23: the same transaction, whose notes are reserved."""
    monkeypatch.setattr(signing, "SIGN_S", 0.05)
    monkeypatch.setattr(sequencing, "RETRY_MS", 0)
    async with calling(node, signs=False) as caller:
        await caller.next("ready")
        await caller.payload(0, b"one")
        asked = await caller.next("sign", 3)
        assert len({each.hash for each in asked}) == 1
        missed = next(each.not_submitted for each in caller.heard if each.HasField("not_submitted"))
        assert missed.reason == "ZONE_NOT_SIGNED"
        monkeypatch.setattr(signing, "SIGN_S", 20.0)
        caller.signs = True
        await caller.next("submitted")
        await caller.sign(asked[0])  # once more: it is not waited for
        false = pb.PublishRequest.Signature(message=asked[0].message, signature=bytes(64))
        await caller.payload(1, b"two")
        caller.signs = False
        [second] = await caller.next("sign")
        false.message = second.message
        await caller.stream.write(pb.PublishRequest(signature=false))
        assert await failed(caller.stream) == ("INVALID_ARGUMENT", "ZONE_SIGNATURE_INVALID")


async def test_one_call_at_a_time_has_a_key_and_few_have_any(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-21."""
    monkeypatch.setattr(writing, "MAX_OPEN", 1)
    async with calling(node) as caller:
        await caller.next("ready")
        for key, expected in (
            (KEY, ("FAILED_PRECONDITION", "ZONE_KEY_IN_USE")),
            (OTHER, ("RESOURCE_EXHAUSTED", "ZONE_SEQUENCERS_FULL")),
        ):
            async with calling(node, key) as second:
                assert await failed(second.stream) == expected
        await caller.end()
    async with calling(node, OTHER) as second:
        await second.next("opened")


async def test_what_cannot_begin_is_refused(node: Served) -> None:
    unknown = Checkpoint(CHANNEL, public(KEY), Point(named("b"), 1, 1), None, 0, ())
    node.node.sequencers = kept = node.rooms.write._store  # type: ignore[assignment]
    assert isinstance(kept, KeptSequencers)
    kept.checkpoints[CHANNEL, public(KEY)] = unknown
    async with calling(node) as caller:
        assert await failed(caller.stream) == ("OUT_OF_RANGE", "ZONE_CURSOR_LOST")
    stream, challenge = await begun(node, channel=ZERO)
    proof = pb.PublishRequest.Proof(signature=KEY.sign(writing.proven_by(ZERO, challenge)))
    await stream.write(pb.PublishRequest(proof=proof))
    reserved = ("INVALID_ARGUMENT", "ZONE_CHANNEL_RESERVED")
    assert await failed(stream) == reserved
    create = node.sequencer.CreateChannel
    assert await refused(create(pb.CreateChannelRequest(channel=ZERO, keys=[ZERO]))) == reserved
    assert await refused(create(pb.CreateChannelRequest(channel=CHANNEL))) == (
        "INVALID_ARGUMENT",
        "WALLET_ORDER_INVALID",
    )


async def test_a_node_that_downloads_the_chain_opens_none() -> None:
    """ZON-18."""
    async with served(is_online=False, patience_s=30.0) as node, calling(node) as caller:
        assert await failed(caller.stream) == ("UNAVAILABLE", "ZONE_NODE_BEHIND")


async def test_callers_are_told_that_the_module_stops(node: Served) -> None:
    async with calling(node) as caller:
        await caller.next("ready")
        node.stopping.set()
        assert await failed(caller.stream) == ("UNAVAILABLE", "MODULE_DRAINING")
    assert await node.server.gate.wait_idle(5) == 0


# -- slow callers ----------------------------------------------------------------------------------


async def test_a_caller_that_does_not_read_holds_up_its_own_machine(node: Served) -> None:
    """ZON-24."""
    async with (
        node.rooms.write.opened(CHANNEL, public(KEY)) as writer,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(writer.run())
        sending = tasks.create_task(publish_all(writer, 40))
        await until(writer._told.full)
        await empty(node, "goes on", 3)
        assert writer._told.qsize() == writing.MAX_TOLD
        assert not sending.done()
        async with calling(node, OTHER) as other:
            await other.next("ready")
        heard = [await asyncio.wait_for(writer.next(), 20) for _ in range(40)]
        pending = [each for each in heard if isinstance(each, writing.Pending)]
        assert [each.number for each in pending] == list(range(len(pending)))
        for each in (running, sending):
            each.cancel()


async def test_a_caller_that_was_away_while_its_branch_was_cut_off_loses_nothing(
    node: Served,
) -> None:
    """ZON-7, ZON-18: the node knows its block no more, and tells of the new chain."""
    base = node.tip
    async with (
        node.rooms.write.opened(CHANNEL, public(KEY)) as writer,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(writer.run())
        told = list[writing.Told]()
        await writer.publish(0, b"0")
        await hear(writer, told, lambda: node.rooms.mempool.count > 0)
        await node.include("old")
        await hear(writer, told, lambda: isinstance(told[-1], Included))
        place = node.tip.id
        sending = tasks.create_task(publish_all(writer, 30))
        await until(writer._told.full)  # it is not told how the chain goes on

        await node.take(*node.world.chain(base, "new", 5))

        assert node.rooms.follow.tree_block(BlockId(place)) is None
        while not any(isinstance(each, Finalized) for each in told):
            await node.include(f"new {len(told)}")
            seen = len(told)
            await hear(writer, told, lambda seen=seen: len(told) > seen + 5)  # type: ignore[misc]
        for each in (running, sending):
            each.cancel()
    found = await channel_of(node)
    assert found == [b"%d" % each for each in range(len(found))]
    assert found


async def hear(writer: writing.Writer, told: list[writing.Told], holds: Callable[[], bool]) -> None:
    """Reads, and signs what is to be signed, until something holds or there is no more for now."""
    while not told or not holds():
        try:
            event = await asyncio.wait_for(writer.next(), 2)
        except TimeoutError:
            return
        told.append(event)
        if isinstance(event, signing.Sign):
            writer.signed(event.message, KEY.sign(event.hash))


async def publish_all(writer: writing.Writer, count: int) -> None:
    for at in range(count):
        await writer.publish(at, b"%d" % at)


async def test_a_full_queue_is_told_of(node: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZON-5."""
    monkeypatch.setattr("logos_zone_sdk.core.queue.MAX_PENDING", 2)
    async with calling(node) as caller:
        await caller.next("ready")
        for at in range(3):
            await caller.payload(at, b"%d" % at)
        [full] = await caller.next("refused")
        assert (full.number, full.reason, full.next_number) == (2, "ZONE_QUEUE_FULL", 2)
        assert (await first(caller.stream)) is not None
