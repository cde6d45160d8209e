"""DLC-38 to DLC-41 between whole nodes: records, and who learns of whom."""

import asyncio
from typing import Any

import grpc
import pytest
from mixnet_nodes import until

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import light_pb2
from logos.network.v1 import peering_pb2
from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import Capability, addresses, read
from logos_delivery.core.enr.shards import RelayShards
from logos_module.errors import reason_of

Net = Any
RELAYS = Capability.RELAY | Capability.STORE | Capability.FILTER | Capability.LIGHT_PUSH


async def info(node: Any) -> pb.GetNodeInfoResponse:
    found: pb.GetNodeInfoResponse = await node.delivery.GetNodeInfo(pb.GetNodeInfoRequest())
    return found


async def peers(node: Any, of: Any, count: int = 60) -> light_pb2.GetPeersResponse:
    request = light_pb2.GetPeersRequest(count=count, peer_id=of.peer_id)
    found: light_pb2.GetPeersResponse = await node.peer_exchange.GetPeers(request)
    return found


async def refused(node: Any, of: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await peers(node, of)
    assert reason_of(caught.value) == "LIGHT_PEER_FAILED"


async def until_told(node: Any, of: Any, wanted: set[str]) -> light_pb2.GetPeersResponse:
    """Asks a node until it tells of all that are wanted."""
    async with asyncio.timeout(50):
        while True:
            found = await peers(node, of)
            if wanted <= {one.peer_id for one in found.peers}:
                return found
            await asyncio.sleep(0.1)


async def test_a_node_says_in_its_record_what_it_is(net: Net) -> None:
    node = await net.node(1, shards=[2, 7])
    edge = await net.node(2, mode="edge")

    found, light = await info(node), await info(edge)
    own, other = record.parse(found.enr), record.parse(light.enr)

    assert found.enr_missing == light.enr_missing == ""
    assert own.peer_id == node.peer_id
    assert f"{addresses(read(own))[0]}/p2p/{own.peer_id}" in found.addresses
    assert read(own).shards == RelayShards(3, (2, 7))
    assert read(own).capabilities == RELAYS
    assert (read(other).shards, read(other).capabilities) == (None, Capability(0))


async def test_a_restart_keeps_the_record_and_other_settings_raise_its_number(net: Net) -> None:
    node = await net.node(1)
    first = (await info(node)).enr
    await node.stop()
    node = await net.node(1)
    assert (await info(node)).enr == first
    await node.stop()

    node = await net.node(1, filter=False)

    changed = record.parse((await info(node)).enr)
    assert changed.sequence > record.parse(first).sequence
    assert read(changed).capabilities == RELAYS & ~Capability.FILTER


async def test_a_network_module_that_signs_for_another_key_leaves_a_node_without_record(
    net: Net,
) -> None:
    net.signs_as = 9
    node = await net.node(1)

    found = await info(node)

    assert found.enr == ""
    assert "Peering/SignNodeRecord" in found.enr_missing
    assert not (await peers(await net.node(2), node)).peers


async def test_nodes_learn_of_one_another_by_their_records(net: Net) -> None:
    one = await net.node(1)
    two = await net.node(2)

    found = await until_told(two, one, {one.peer_id})
    assert found.peer_id == one.peer_id
    assert found.peers[0].enr == (await info(one)).enr
    assert list(found.peers[0].addresses) == list(addresses(read(record.parse(found.peers[0].enr))))

    edge = await net.node(3, mode="edge", peer_exchange_peers=[one.peer_id])
    told = await until_told(edge, one, {one.peer_id, two.peer_id})
    assert {one.enr for one in told.peers} >= {(await info(two)).enr}
    listed = await edge.network.peering.ListPeers(peering_pb2.ListPeersRequest())
    assert two.peer_id in {one.peer_id for one in listed.peers}
    await refused(one, edge)  # which serves none


async def test_a_node_that_is_told_not_to_tells_nothing(net: Net) -> None:
    one, two = await net.node(1, peer_exchange=False), await net.node(2)
    await refused(two, one)


@pytest.mark.native
async def test_over_real_hosts_a_node_connects_to_one_of_which_it_was_told(net: Net) -> None:
    net.has_real_hosts = True
    one = await net.node(1)
    two = await net.node(2)
    await until_told(two, one, {one.peer_id})

    three = await net.node(3)

    told = await until_told(three, one, {one.peer_id, two.peer_id})
    assert {each.enr for each in told.peers} == {(await info(each)).enr for each in (one, two)}
    await until(lambda: two.peer_id in three.network.network.peering.machine.connected)
