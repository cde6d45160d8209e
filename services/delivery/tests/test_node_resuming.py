"""DST-41: a whole store node that was away, and comes back beside another."""

import asyncio
import time
from typing import Any

from node_answers import TOPIC, subscribe, until_followed

from logos.delivery.v1 import delivery_pb2, store_pb2
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.message import Message

Net = Any
SHARD = "/waku/2/rs/3/2"


def old(number: int, *, age_s: int) -> Entry:
    stamp = time.time_ns() - age_s * 10**9 + number
    return Entry.of(SHARD, Message(b"%d" % number, TOPIC, timestamp_ns=stamp))


async def until_has(node: Any, *hashes: bytes) -> None:
    """Waits until a node itself keeps messages."""
    request = store_pb2.StoreQueryRequest(message_hashes=hashes, pagination_limit=100)
    async with asyncio.timeout(30):
        while len((await node.store.Query(request)).messages) < len(hashes):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_store_node_fetches_at_its_start_what_it_missed(net: Net) -> None:
    before, missed = old(1, age_s=20_000), [old(number, age_s=10_000) for number in range(2, 132)]
    await net.fill(1, [before, *missed])
    await net.fill(2, [before])
    await net.node(1)

    two = await net.node(2, resume=True)

    await until_has(two, *(entry.hash for entry in missed[:60]))
    await until_has(two, *(entry.hash for entry in missed[60:]))


async def test_a_node_that_comes_back_has_what_was_sent_meanwhile(net: Net) -> None:
    one, two, three = await net.node(1), await net.node(2, resume=True), await net.node(3)
    for node in (one, two, three):
        await subscribe(node, TOPIC)
    await until_followed(three, 2)
    send = delivery_pb2.SendRequest(content_topic=TOPIC, payload=b"before")
    await until_has(two, (await three.delivery.Send(send)).message_hash)
    await two.stop()
    send.payload = b"meanwhile"
    meanwhile = (await three.delivery.Send(send)).message_hash
    await until_has(one, meanwhile)

    again = await net.node(2, resume=True)

    await until_has(again, meanwhile)
