"""The mix: a ping there and back over verified hops, and messages past a relay that has stopped."""
# ruff: noqa: S101 - a scenario is a test

import asyncio
from collections.abc import Sequence

import grpc

from logos.kernel.v1 import module_pb2, supervisor_pb2, supervisor_pb2_grpc
from logos.network.v1 import (
    mix_pb2,
    mix_pb2_grpc,
    peering_pb2,
    peering_pb2_grpc,
    rln_pb2,
    rln_pb2_grpc,
)
from logos_testnet.client import view
from logos_testnet.scenarios.waiting import RECOVERY_S, peer_ids, until_whole
from logos_testnet.testnet import Testnet, front_door

MESSAGES = 8
"""Twice as many packets, of ten in an epoch of ten seconds (`laptop`)."""
CODEC = "/logos/scenario/1.0.0"
PATIENCE_S = 90.0
DELAY_MS = 50
"""At each hop: the mix is to work here, and not to hide anything."""


async def a_ping_crosses_verified_hops_and_comes_back(testnet: Testnet) -> None:
    """Every mix on its way has verified at least one more proof when the answer is there."""
    names = {peer: node for node, peer in (await peer_ids(testnet)).items()}
    first, fourth = (testnet.plan.nodes[at].name for at in (0, 3))
    there = next(peer for peer, node in names.items() if node == fourth)
    await until_mixes_are_known(testnet)
    before = {node: (await mix_status(testnet, node)).counts for node in names.values()}

    kinds, ways = [], []
    async with front_door(testnet, first) as channel:
        asked = mix_pb2.MixPingRequest(route=route_to(there))
        async for step in mix_pb2_grpc.MixStub(channel).Ping(asked, timeout=PATIENCE_S):
            kinds.append(step.WhichOneof("kind"))
            ways += [step.planned.forward, step.planned.back] if step.HasField("planned") else []

    assert (kinds[0], kinds[-1]) == ("planned", "answered")
    forward, back = ([names[hop.peer_id] for hop in way] for way in ways)
    assert (len(forward), len(back)) == (3, 3)
    assert (forward[-1], back[-1]) == (fourth, first)
    for node in {*forward, *back}:
        after = await mix_status(testnet, node)
        assert after.guarded
        assert after.counts.proofs_verified > before[node].proofs_verified


async def messages_arrive_past_a_relay_that_has_stopped(testnet: Testnet) -> None:
    """One of five is stopped: with two copies of each, all messages arrive."""
    first, second, _third, fourth = (node.name for node in testnet.plan.nodes[:4])
    ids = await peer_ids(testnet)
    await until_mixes_are_known(testnet)
    contents = {f"message {number}".encode() for number in range(MESSAGES)}
    async with front_door(testnet, fourth) as channel, asyncio.timeout(PATIENCE_S):
        asked = mix_pb2.MixListenRequest(codec=CODEC)
        messages = aiter(mix_pb2_grpc.MixStub(channel).Listen(asked))
        await anext(messages)  # it listens
        try:
            await _stop(testnet, second)
            await _until_lost(testnet, first, ids[second])
            await _send(testnet, first, ids[fourth], sorted(contents))
            found = {(await anext(messages)).content for _ in contents}
        finally:
            await _start(testnet, second)
    await until_whole(testnet)

    assert found == contents


def route_to(peer_id: str, redundancy: int = 1) -> mix_pb2.Route:
    """A route that hides nothing, and is quick."""
    route = mix_pb2.Route(destination=peer_id, redundancy=redundancy)
    route.mean_delay.FromMilliseconds(DELAY_MS)
    return route


async def mix_status(testnet: Testnet, node: str) -> mix_pb2.MixGetStatusResponse:
    """What a node's mix says of itself."""
    async with front_door(testnet, node) as channel:
        stub = mix_pb2_grpc.MixStub(channel)
        status: mix_pb2.MixGetStatusResponse = await stub.GetStatus(mix_pb2.MixGetStatusRequest())
        return status


async def until_mixes_are_known(testnet: Testnet) -> None:
    """Waits until every node knows all others as mixes and members, and is a member itself."""
    await until_whole(testnet)
    nodes = testnet.plan.nodes
    async with asyncio.timeout(2 * RECOVERY_S):
        for node in nodes:
            async with front_door(testnet, node.name) as channel:
                while not await _is_whole(channel, len(nodes)):  # noqa: ASYNC110 - remote events
                    await asyncio.sleep(0.2)


async def _is_whole(channel: grpc.aio.Channel, nodes: int) -> bool:
    limits = await rln_pb2_grpc.RlnStub(channel).GetStatus(rln_pb2.RlnGetStatusRequest())
    status = await mix_pb2_grpc.MixStub(channel).GetStatus(mix_pb2.MixGetStatusRequest())
    is_member = limits.membership.state == rln_pb2.MEMBERSHIP_STATE_ACTIVE
    return bool(is_member and limits.members == nodes and status.pool_size == nodes - 1)


async def _send(testnet: Testnet, node: str, peer_id: str, contents: Sequence[bytes]) -> None:
    route = route_to(peer_id, redundancy=2)
    async with front_door(testnet, node) as channel:
        for content in contents:
            asked = mix_pb2.SendRequest(route=route, codec=CODEC, content=content)
            await mix_pb2_grpc.MixStub(channel).Send(asked)


async def _until_lost(testnet: Testnet, node: str, peer_id: str) -> None:
    """Waits until a node is not connected to a peer: what is to stop still serves for a while."""
    asked = peering_pb2.ListPeersRequest(page_size=1000)
    async with front_door(testnet, node) as channel:
        stub = peering_pb2_grpc.PeeringStub(channel)
        while True:
            peers = (await stub.ListPeers(asked)).peers
            if not any(peer.connected for peer in peers if peer.peer_id == peer_id):
                return
            await asyncio.sleep(0.1)


async def _stop(testnet: Testnet, node: str) -> None:
    async with front_door(testnet, node) as channel:
        asked = supervisor_pb2.StopModuleRequest(module="mixnet", cascade=True)
        await supervisor_pb2_grpc.SupervisorStub(channel).StopModule(asked)


async def _start(testnet: Testnet, node: str) -> None:
    """Starts all that `_stop` has stopped."""
    async with front_door(testnet, node) as channel:
        for module in (await view(channel, networked=False)).modules:
            if module.desired == module_pb2.DESIRED_STATE_STOPPED:
                asked = supervisor_pb2.StartModuleRequest(module=module.name)
                await supervisor_pb2_grpc.SupervisorStub(channel).StartModule(asked)
