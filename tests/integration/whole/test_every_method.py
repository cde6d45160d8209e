"""Every method of a node asks for a token, on every path (kernel.md 14.28)."""

from typing import Any

import grpc
import pytest

from logos.chain.v1 import admin_pb2, chain_pb2, wallet_pb2, zone_pb2
from logos.delivery.v1 import (
    channels_pb2,
    delivery_pb2,
    light_pb2,
    relay_pb2,
    store_pb2,
)
from logos.kernel.v1 import (
    capability_pb2,
    events_pb2,
    kernel_pb2,
    kernel_pb2_grpc,
    registry_pb2,
    router_pb2,
    settings_pb2,
    supervisor_pb2,
)
from logos.module.v1 import invocation_pb2, module_host_pb2
from logos.network.v1 import (
    discovery_pb2,
    gossip_pb2,
    mix_pb2,
    peering_pb2,
    rln_pb2,
    streams_pb2,
)
from logos.network.v1 import registry_pb2 as members_pb2
from logos.storage.v1 import storage_pb2
from logos_client.channels import channel_to
from logos_testnet.client import reason_of
from logos_testnet.testnet import Testnet, front_door

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CONTRACTS: tuple[Any, ...] = (
    admin_pb2,
    capability_pb2,
    chain_pb2,
    channels_pb2,
    delivery_pb2,
    discovery_pb2,
    events_pb2,
    gossip_pb2,
    invocation_pb2,
    kernel_pb2,
    light_pb2,
    members_pb2,
    mix_pb2,
    module_host_pb2,
    peering_pb2,
    registry_pb2,
    relay_pb2,
    rln_pb2,
    router_pb2,
    settings_pb2,
    storage_pb2,
    store_pb2,
    streams_pb2,
    supervisor_pb2,
    wallet_pb2,
    zone_pb2,
)
METHODS = [
    f"{service.full_name}/{method.name}"
    for contract in CONTRACTS
    for service in contract.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
FREE = {
    "logos.module.v1.ModuleHost/Describe",
    "logos.kernel.v1.Registry/Challenge",
    "logos.kernel.v1.Registry/Register",
}


async def addresses(testnet: Testnet) -> dict[str, int]:
    """Returns the addresses of the first node, and how many services each has of its own."""
    node = testnet.plan.nodes[0]
    async with front_door(testnet, node.name) as channel:
        stub = kernel_pb2_grpc.KernelStub(channel)
        status = await stub.GetStatus(kernel_pb2.GetStatusRequest(), timeout=60)
    modules = {module.endpoint: len(module.services) + 1 for module in status.modules}
    inner = next(iter(modules)).rpartition("/")[0] + "/kernel.sock"
    routed = sum(len(module.services) for module in status.modules)
    return {node.front: 6 + routed, inner: 5, **modules}


async def refusal_of(channel: grpc.aio.Channel, method: str) -> tuple[str, str]:
    """Calls a method without a token; returns how it was refused."""
    call: Any = channel.unary_stream(f"/{method}")(b"", timeout=60)
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        return error.code().name, reason_of(error)
    return "OK", ""


async def test_nothing_is_served_without_a_token(testnet: Testnet) -> None:
    for address, services in (await addresses(testnet)).items():
        asking = set()
        async with channel_to(address) as channel:
            for method in METHODS:
                code, reason = await refusal_of(channel, method)
                if reason == "TOKEN_MISSING":
                    assert code == "UNAUTHENTICATED"
                    asking.add(method.partition("/")[0])
                else:
                    assert method in FREE or code == "UNIMPLEMENTED", (address, method, code)
        assert len(asking) >= services, (address, asking)
