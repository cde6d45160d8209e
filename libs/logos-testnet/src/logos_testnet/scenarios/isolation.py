"""Isolation: a node that is cut off goes on when it is healed, and the others meanwhile."""
# ruff: noqa: S101 - a scenario is a test

from logos.storage.v1 import storage_pb2
from logos_testnet.scenarios.files import get, put, sample
from logos_testnet.scenarios.keeping import keep
from logos_testnet.scenarios.waiting import until_whole
from logos_testnet.testnet import Testnet

SHORT_S = 5
"""Patience of a fetch that cannot succeed."""


async def a_fetch_waits_until_its_node_is_healed(testnet: Testnet) -> None:
    """While its node is cut off, a fetch fails for want of providers; healed, it completes."""
    provider, other, lone = (testnet.plan.nodes[at].name for at in (0, 1, 3))
    content = sample(3 * 1024 * 1024 + 1, "isolated")
    cid = await put(testnet, provider, content)

    await testnet.isolate(lone)
    await testnet.isolate(lone)

    assert await testnet.isolated() == {lone}
    assert set(await testnet.troubles()) == {lone}
    *_, failed = await keep(testnet, lone, cid, patience_s=SHORT_S)
    assert failed.state == storage_pb2.FETCH_STATE_FAILED
    assert failed.reason in {"NO_PROVIDERS", "PROVIDERS_UNREACHABLE"}
    assert failed.held_bytes == 0
    assert await get(testnet, other, cid) == content

    await testnet.heal(lone)

    assert await testnet.isolated() == frozenset()
    await until_whole(testnet)
    *_, done = await keep(testnet, lone, cid)
    assert done.state == storage_pb2.FETCH_STATE_DONE, done
    assert await get(testnet, lone, cid, local_only=True) == content
