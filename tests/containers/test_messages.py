"""A thousand messages between five nodes in containers: each reaches every application once.

How many copies of them were on the links is told by the bytes of NET-15: gossip drops a copy that
it has seen, and counts none.
"""

import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.network.v1 import peering_pb2
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_testnet.opening import Description, Places
from logos_testnet.testnet import Testnet, front_door
from own_topology import ROOT, claim_ports, running

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

TOPIC = "/test/1/burst/proto"
COUNT = 1_000
RATE = 50
"""Messages a second, all nodes together; more than proofs of rate limits allow, so without."""
SIZE = 1_024
PATIENCE_S = 300.0
NEIGHBOURS = 4
"""Of each node: all others."""
AROUND = 512
"""Bytes of a message on a link beside its payload: topics, time, frames, its part of the upkeep."""


@pytest.fixture
def messengers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testnet]:
    """Five nodes that send messages, in containers; nothing of them stays."""
    ports = claim_ports()
    text = (
        'schema = 1\nname = "burst"\nnode_count = 5\n'
        f"target_peers = {NEIGHBOURS}\n"
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n'
        '[modules.mixnet.settings]\nmix = "off"\nrln = "off"\n'
        '[modules.delivery.settings]\npreset = "logos.dev"\n'
    )
    places = Places(ROOT, tmp_path_factory.mktemp("state"))
    with running(Description(text, "burst.toml"), places, "containers") as testnet:
        yield testnet


async def test_a_thousand_messages_reach_every_application_once(messengers: Testnet) -> None:
    async with AsyncExitStack() as stack:
        doors = [
            await stack.enter_async_context(front_door(messengers, node.name))
            for node in messengers.plan.nodes
        ]
        nodes = [DeliveryStub(door) for door in doors]
        links = [PeeringStub(door) for door in doors]
        for node in nodes:
            await node.Subscribe(pb.SubscribeRequest(content_topics=[TOPIC]))
        for node in nodes:
            await until_heard_by_all(node, nodes)
        senders = [secrets.choice(nodes) for _ in range(COUNT)]
        before = await carried(links)
        sent = await sent_at_rate(senders)
        assert len(sent) == COUNT
        for node in nodes:
            assert set(await received(node, sent)) == sent
        tell_copies((await carried(links) - before).total(), len(nodes))
        request = pb.SendRequest(content_topic=TOPIC, payload=b"last")
        sent.add((await nodes[0].Send(request)).message_hash)
        for node in nodes:
            heard = await received(node, sent)
            assert (set(heard), set(heard.values())) == (sent, {1})


def tell_copies(came: int, nodes: int) -> None:
    """Prints how many copies of a message a node got; what it sends itself, it gets from none.

    A neighbour gives a message once.
    """
    receipts = COUNT * (nodes - 1)
    sys.stderr.write(
        f"{came} bytes came over all links: at most {came / (receipts * SIZE):.2f} copies of each "
        f"message at each receiver, {came / (receipts * SIZE) - 1:.2f} of them duplicates\n"
    )
    assert receipts * SIZE <= came <= COUNT * nodes * NEIGHBOURS * (SIZE + AROUND)


async def carried(links: list[Any]) -> Counter[tuple[int, str, int]]:
    """Bytes that came to each node, by peer and the beginning of its connections."""
    found: Counter[tuple[int, str, int]] = Counter()
    for number, node in enumerate(links):
        for peer in (await node.ListPeers(peering_pb2.ListPeersRequest())).peers:
            if peer.HasField("traffic"):
                key = (number, peer.peer_id, peer.traffic.since.ToMicroseconds())
                found[key] = peer.traffic.received_bytes
    return found


async def until_heard_by_all(node: Any, nodes: list[Any]) -> None:
    """Sends until every node has one: then each has a way to each."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            accepted = await node.Send(pb.SendRequest(content_topic=TOPIC, payload=b"first"))
            hashes = {accepted.message_hash}
            found = await asyncio.gather(*(received(each, hashes, wait_s=2) for each in nodes))
            if all(found):
                return


async def sent_at_rate(senders: list[Any]) -> set[bytes]:
    """Sends a message from each of some nodes, at a rate; returns their hashes."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def send(number: int, node: Any) -> bytes:
        await asyncio.sleep(began + number / RATE - loop.time())
        payload = number.to_bytes(4, "big") * (SIZE // 4)
        accepted = await node.Send(pb.SendRequest(content_topic=TOPIC, payload=payload))
        return bytes(accepted.message_hash)

    return set(await asyncio.gather(*(send(*each) for each in enumerate(senders))))


async def received(node: Any, hashes: set[bytes], *, wait_s: float = PATIENCE_S) -> Counter[bytes]:
    """How often an application of a node got each of some messages, once it has all of them.

    It is told of no more than those that it got until then.
    """
    wanted = pb.WatchEventsRequest(after=0, kinds=[pb.EVENT_KIND_RECEIVED])
    found: Counter[bytes] = Counter()
    call = node.WatchEvents(wanted)
    try:
        async with asyncio.timeout(wait_s):
            async for page in call:
                found.update(one.message_hash for one in page.events if one.message_hash in hashes)
                if len(found) == len(hashes):
                    break
    except TimeoutError:
        pass
    finally:
        call.cancel()
    return found
