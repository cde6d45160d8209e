"""Sequencers and indexers by gRPC at a node of the tests: ZON-13, ZON-16 to ZON-18."""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import zone_node
from logos.chain.v1 import chain_pb2
from logos_mantle.channels import ChannelConfig
from logos_zone_sdk import feed, indexer, sequencer
from logos_zone_sdk.core import errors
from logos_zone_sdk.core.events import Adopted, NotTaken, Published, Ready, ZoneEvent
from logos_zone_sdk.core.indexing import Found, Lost, Settled
from logos_zone_sdk.core.places import Checkpoint, Cursor
from logos_zone_sdk.core.sequencing import Effects, SequencerMachine
from logos_zone_sdk.indexer import ZoneIndexer
from logos_zone_sdk.paying import Payments
from logos_zone_sdk.sequencer import ZoneSequencer
from zone_chain import CHANNEL, Message, configured
from zone_node import FakeNode, serving

KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
REWIND = SequencerMachine.rewound
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(b"\2" * 32)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "RECONNECT_S", 0.01)
    for each in (sequencer, indexer):
        monkeypatch.setattr(each, "RECONNECT_S", 0.01)


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
async def channel(node: FakeNode) -> AsyncIterator[grpc.aio.Channel]:
    async with serving(node) as found:
        yield found


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what it waits for is in other hands
            await asyncio.sleep(0.002)


def payloads(node: FakeNode) -> list[bytes]:
    return [payload for _, payload in node.chain.tip.payloads()]


def none(_: Message) -> bool:
    return False


async def test_payloads_are_included_and_become_final(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    kept, heard = list[Checkpoint](), list[ZoneEvent]()

    async def keep(checkpoint: Checkpoint) -> None:
        assert len(node.submitted) <= len(kept)  # durable before anything is given to the node
        kept.append(checkpoint)

    client = ZoneSequencer(CHANNEL, KEY, channel, keep=keep, heard=heard.append)
    async with client.running():
        first = await client.publish(b"one")
        second = await client.publish(b"two")
        await until(lambda: len(node.chain.mempool) == 2)
        await node.grow()
        assert (await first.included()).block == node.chain.tip.point
        await node.grow(5)
        final = await second.final()
        assert [first.number, second.number] == [0, 1]
        assert not client.pending

    assert final.id == node.chain.tip.state.tip
    assert payloads(node) == [b"one", b"two"]
    assert kept[-1].last_message == final.id
    assert isinstance(heard[0], (Ready, Published))
    assert node.prepared == 2


async def test_reorganisations_and_broken_connections(
    node: FakeNode, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-18; the PR 687 scenario by gRPC."""
    rewound = list[bytes]()

    def rewind(machine: SequencerMachine, now_ms: int) -> Effects:
        rewound.append(machine.base)
        return REWIND(machine, now_ms)

    monkeypatch.setattr(SequencerMachine, "rewound", rewind)
    async with ZoneSequencer(CHANNEL, KEY, channel).running() as client:
        publications = []
        for height in range(374, 394):
            publications.append(await client.publish(b"%d" % height))
            if height % 4 == 0:
                node.chain.reorganise(3, none)
                await node.drop_connections()
            if height % 6 == 0:
                await node.grow()
                await until(lambda: client._machine.place == node.chain.tip.point.id)
                lost = node.chain.tip.point.id
                node.chain.reorganise(2, none)
                del node.chain.blocks[lost]  # the node does not know the place any more
                await node.drop_connections()
            await node.grow()

        async def mine() -> None:
            while True:
                await asyncio.sleep(0.01)
                await node.grow()

        async with asyncio.TaskGroup() as tasks:
            mining = tasks.create_task(mine())
            async with asyncio.timeout(60):
                await asyncio.gather(*[each.final() for each in publications])
            mining.cancel()

    assert payloads(node) == [b"%d" % each for each in range(374, 394)]
    assert rewound


async def test_a_restart_goes_on_from_the_checkpoint(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    kept = list[bytes]()

    async def keep(checkpoint: Checkpoint) -> None:
        kept.append(checkpoint.encode())

    node.is_forgetful = True
    async with ZoneSequencer(CHANNEL, KEY, channel, keep=keep).running() as client:
        lost = await client.publish(b"one")
        await until(lambda: len(node.submitted) == 1)
    with pytest.raises(errors.ZoneStoppedError):
        await lost.final()
    with pytest.raises(errors.ZoneStoppedError):
        await client.publish(b"two")

    node.is_forgetful = False
    again = ZoneSequencer(CHANNEL, KEY, channel, checkpoint=Checkpoint.decode(kept[-1]))
    async with again.running():
        await until(lambda: len(again.pending) == 1)
        await again.publish(b"two")
        await until(lambda: len(node.chain.mempool) == 2)
        waiting = again.pending
        await node.grow(6)
        await asyncio.gather(*[each.final() for each in waiting.values()])
    assert payloads(node) == [b"one", b"two"]


async def test_the_same_bytes_are_given_again_until_they_are_old(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-13."""
    now_ms = 1000
    node.refusal = "TRANSACTION_REFUSED"
    heard = list[ZoneEvent]()
    client = ZoneSequencer(CHANNEL, KEY, channel, heard=heard.append, now_ms=lambda: now_ms)
    async with client.running():
        await client.publish(b"one")
        for round_ in range(1, 9):
            await until(lambda: len([e for e in heard if isinstance(e, NotTaken)]) == round_)  # noqa: B023
            now_ms += 5000
            client._news.set()
        node.refusal = ""
        await until(lambda: len(node.chain.mempool) == 1)

    assert node.prepared == 2
    assert len(set(node.submitted)) == 2
    assert {each.reason for each in heard if isinstance(each, NotTaken)} == {"TRANSACTION_REFUSED"}


async def test_a_message_that_waits_in_an_older_transaction_is_taken(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-13: one of before a restart; those after it need not wait for a block."""
    kept, heard = list[Checkpoint](), list[ZoneEvent]()

    async def keep(checkpoint: Checkpoint) -> None:
        kept.append(checkpoint)

    async with ZoneSequencer(CHANNEL, KEY, channel, keep=keep).running() as client:
        for each in (b"one", b"two"):
            publication = await client.publish(each)
            await publication.taken()
    again = ZoneSequencer(CHANNEL, KEY, channel, checkpoint=kept[-1], heard=heard.append)
    async with again.running():
        third = await again.publish(b"three")
        assert await third.taken() in node.chain.mempool

    assert len(node.chain.mempool) == 3
    assert not [each for each in heard if isinstance(each, NotTaken)]


async def test_nothing_is_signed_but_what_was_asked_for(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-13."""
    node.is_swindler = True
    heard = list[ZoneEvent]()
    async with ZoneSequencer(CHANNEL, KEY, channel, heard=heard.append).running() as client:
        await client.publish(b"one")
        await until(lambda: any(isinstance(each, NotTaken) for each in heard))

    assert not node.submitted
    assert {each.reason for each in heard if isinstance(each, NotTaken)} == {"ZONE_PAYMENT_FOREIGN"}


async def test_wrong_starts_are_refused(node: FakeNode, channel: grpc.aio.Channel) -> None:
    checkpoint = Checkpoint(CHANNEL, b"x" * 32, node.chain.genesis.point, None, 0, ())
    with pytest.raises(errors.CheckpointForeignError):
        ZoneSequencer(CHANNEL, KEY, channel, checkpoint=checkpoint)
    with pytest.raises(errors.ChannelReservedError):
        ZoneSequencer(bytes(32), KEY, channel)
    node.chain.tip = node.chain.genesis
    async with ZoneSequencer(CHANNEL, KEY, channel).running() as client:
        with pytest.raises(errors.PayloadTooLongError):
            await client.publish(bytes(2_000_000))


async def test_a_sequencer_whose_final_block_nobody_knows_stops(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-18."""
    unknown = zone_node.Point(b"?" * 32, 7, 7)
    checkpoint = Checkpoint(CHANNEL, PUBLIC, unknown, None, 0, ())
    with pytest.raises(ExceptionGroup) as raised:
        await ZoneSequencer(CHANNEL, KEY, channel, checkpoint=checkpoint).run()
    assert raised.group_contains(errors.CursorLostError)


async def test_a_node_that_downloads_the_chain_is_waited_for(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-18."""
    node.phase = chain_pb2.PHASE_DOWNLOADING
    async with ZoneSequencer(CHANNEL, KEY, channel).running() as client:
        await asyncio.sleep(0.05)
        assert not node.watchers
        assert client.checkpoint is None
        node.phase = chain_pb2.PHASE_PROLONGED
        await (await client.publish(b"one")).taken()


async def test_a_checkpoint_that_cannot_be_kept_ends_it_before_anything_is_given(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-5."""

    async def keep(checkpoint: Checkpoint) -> None:
        raise OSError("full")

    client, heard = ZoneSequencer(CHANNEL, KEY, channel, keep=keep), list[str]()

    async def publish() -> None:
        with pytest.raises(errors.ZoneStoppedError):
            await client.publish(b"one")
        heard.append("it has stopped")

    async def run() -> None:
        with pytest.raises(ExceptionGroup):
            await client.run()

    await asyncio.gather(publish(), run())
    assert heard
    assert not node.submitted
    with pytest.raises(OSError, match="full"):
        async with ZoneSequencer(CHANNEL, KEY, channel, keep=keep).running() as client:
            await client.publish(b"one")


async def test_two_sequencers_take_turns(channel: grpc.aio.Channel, node: FakeNode) -> None:
    """ZON-9."""
    keys = [each.public_key().public_bytes_raw() for each in (KEY, OTHER)]
    node.chain.start = configured(*keys, timeframe=3)
    node.chain.__post_init__()
    heard = list[ZoneEvent]()

    def now_ms() -> int:
        return node.chain.tip.point.slot * zone_node.SLOT_MS

    one = ZoneSequencer(CHANNEL, KEY, channel, heard=heard.append, now_ms=now_ms)
    two = ZoneSequencer(CHANNEL, OTHER, channel, now_ms=now_ms)
    async with one.running(), two.running():
        waits = []
        for place in range(4):
            for client in (one, two):
                publication = await client.publish(b"%d" % place)
                waits.append(publication.final())
        async with asyncio.TaskGroup() as tasks:

            async def mine() -> None:
                while True:
                    await node.grow()
                    await asyncio.sleep(0.03)

            mining = tasks.create_task(mine())
            async with asyncio.timeout(60):
                await asyncio.gather(*waits)
            mining.cancel()

    for key in keys:
        mine_ = [payload for signer, payload in node.chain.tip.payloads() if signer == key]
        assert mine_ == [b"0", b"1", b"2", b"3"]
    assert len([each for each in heard if isinstance(each, Adopted)]) >= 4


async def test_a_configuration_is_paid_and_signed(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    payments = Payments(KEY, channel, lambda: 0)
    for threshold, place in ((1, None), (2, 0)):
        config = ChannelConfig(CHANNEL, (PUBLIC,), 0, 0, 1, threshold)
        await payments.submit(await payments.transaction(config, place))
    await node.grow()

    assert node.chain.tip.state.keys == (PUBLIC,)
    assert len(node.submitted[1]) - len(node.submitted[0]) == 66


# -- the indexer ---------------------------------------------------------------------------------


async def write(node: FakeNode, channel: grpc.aio.Channel, count: int, per_block: int = 1) -> None:
    async with ZoneSequencer(CHANNEL, KEY, channel).running() as client:
        for place in range(count):
            last = await client.publish(b"%d" % place)
            if place % per_block == per_block - 1:
                await until(lambda: len(node.chain.mempool) > place)  # noqa: B023
                await node.grow()
                await last.included()


async def test_following_goes_on_from_any_cursor(node: FakeNode, channel: grpc.aio.Channel) -> None:
    """ZON-14, ZON-16: three messages are in each block."""
    await write(node, channel, 9, per_block=3)
    await node.grow(4)
    found = list[Found]()
    async for each in ZoneIndexer(CHANNEL, channel).follow():
        found.append(each)
        if len(found) == 9:
            break
    assert [each.message.payload for each in found] == [b"%d" % each for each in range(9)]
    assert [each.message.block.height for each in found] == [1, 1, 1, 2, 2, 2, 3, 3, 3]

    for place in range(8):
        cursor = found[place].cursor
        assert cursor is not None
        again = ZoneIndexer(CHANNEL, channel, cursor=Cursor.decode(cursor.encode()))
        assert await anext(aiter(again.follow())) == found[place + 1]


async def test_following_survives_broken_connections_and_waits_for_finality(
    node: FakeNode, channel: grpc.aio.Channel
) -> None:
    """ZON-16, ZON-18."""
    await write(node, channel, 4)
    reader, found = ZoneIndexer(CHANNEL, channel), list[bytes | None]()

    async def read() -> None:
        async for each in reader.follow():
            found.append(each.message.payload)

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        for _ in range(4):
            await node.grow()
            await until(lambda: reader.cursor is not None)
            await node.drop_connections()
        await until(lambda: len(found) == 4)
        reading.cancel()
    assert found == [b"0", b"1", b"2", b"3"]
    assert reader.cursor is not None
    assert reader.cursor.block.height <= node.chain.final.point.height


async def test_following_what_is_not_final(node: FakeNode, channel: grpc.aio.Channel) -> None:
    """ZON-16."""
    await write(node, channel, 2)
    told = list[Found | Lost | Settled]()

    async def read() -> None:
        async for each in ZoneIndexer(CHANNEL, channel).follow_unfinal():
            told.append(each)

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        await until(lambda: len(told) == 2)
        node.chain.reorganise(1, none)
        await node.step()
        await until(lambda: len(told) == 3)
        await node.grow(5)
        await until(lambda: len(told) == 6)
        reading.cancel()
    assert [type(each) for each in told] == [Found, Found, Lost, Found, Settled, Settled]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, 9, 9), (1, 3, 3), (4, 4, 1), (7, 300, 3), (40, 50, 0), (0, 0, 0)],
)
async def test_scanning_a_range_ends_at_the_final_block(
    node: FakeNode, channel: grpc.aio.Channel, first: int, last: int, expected: int
) -> None:
    """ZON-17."""
    await write(node, channel, 9)
    await node.grow(2)
    node.chain.grow(2)
    reader = ZoneIndexer(CHANNEL, channel)
    found = [each async for each in reader.scan(first, last)]

    final = node.chain.final.point.height
    heights = [height for height in range(1, 10) if first <= height <= last]
    assert [each.message.block.height for each in found] == heights
    assert len(found) == expected
    assert reader.cursor is not None
    assert reader.cursor.block.height <= final


async def test_a_range_must_be_one(channel: grpc.aio.Channel) -> None:
    with pytest.raises(errors.RangeInvalidError):
        await anext(aiter(ZoneIndexer(CHANNEL, channel).scan(3, 2)))
