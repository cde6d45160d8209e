"""Messages that leave through the mix-net: all real but for the links of the mixes (DSN-10)."""

import secrets
from typing import Any

import pytest
from mixnet_nodes import until
from node_answers import TOPIC, first, payloads, subscribe, until_followed

from logos.delivery.v1 import delivery_pb2 as pb
from logos_delivery.core.archive import wire as store_wire
from logos_delivery.core.light import light_push

pytestmark = pytest.mark.stress  # a store node is asked after three seconds

NODES = 5
RECEIVED = [pb.EVENT_KIND_RECEIVED]
Net = Any


class Watched:
    """What a node's host was asked for, from now on."""

    def __init__(self, host: Any) -> None:
        self.published = 0
        self.protocols: set[str] = set()
        self._publish, self._open_stream = host.publish, host.open_stream
        host.publish, host.open_stream = self.publish, self.open_stream

    def publish(self, topic: str, data: bytes) -> int:
        self.published += 1
        return int(self._publish(topic, data))

    def open_stream(self, peer_id: str, protocol: str) -> int:
        self.protocols.add(protocol)
        return int(self._open_stream(peer_id, protocol))


@pytest.fixture
async def nodes(net: Net) -> list[Any]:
    """Nodes whose mixes know one another, and hold packets for the profile's ten seconds unless
    they are told another time.
    """
    net.has_mix_net = True
    found = [await net.node(number, mix_delay_ms=5) for number in range(1, NODES + 1)]
    for node in found:
        await subscribe(node, TOPIC)
    await until_followed(found[0], NODES - 1)
    await until(lambda: all(len(node.network.network.mix.pool) == NODES - 1 for node in found))
    return found


@pytest.mark.parametrize("size", [5, 100_000], ids=["one packet", "dozens of packets"])
async def test_a_message_is_propagated_and_confirmed_and_its_sender_asks_no_node_itself(
    nodes: list[Any], size: int
) -> None:
    payload = secrets.token_bytes(size)
    sender, *others = nodes
    watched = Watched(sender.network.host)

    request = pb.SendRequest(content_topic=TOPIC, payload=payload, via_mix=True)
    accepted = await sender.delivery.Send(request)

    for node in others:
        assert payloads(await first(node, 1, kinds=RECEIVED)) == [payload]
    told = await first(sender, 2, request_ids=[accepted.request_id])
    assert [event.kind for event in told] == [pb.EVENT_KIND_PROPAGATED, pb.EVENT_KIND_SENT]
    assert {event.message_hash for event in told} == {accepted.message_hash}
    assert watched.published == 0
    assert not watched.protocols & {light_push.PROTOCOL, store_wire.PROTOCOL}
