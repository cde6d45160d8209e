from typing import Any

import grpc
import pytest

from logos_module.errors import reason_of
from logos_storage.core.cid import MANIFEST, parse_text

SIZES = [0, 1, 65_535, 65_536, 65_537, 1_000_000, 5_000_001]


def content_of(size: int) -> bytes:
    return bytes((number * 7 + number // 256) % 251 for number in range(min(size, 300_000))) * (
        size // 300_000 + 1
    )


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_put_on_one_node_comes_out_of_another(net: Any, size: int) -> None:
    content = content_of(size)[:size]
    one, two = await net.node("one"), await net.node("two")

    dataset = await one.put(content, filename="f", mimetype="a/b")
    await net.announced(parse_text(dataset.cid, MANIFEST).binary, "one")
    assert await two.get(dataset.cid) == content
    assert await two.get(dataset.cid, local_only=True) == content
    await net.announced(parse_text(dataset.cid, MANIFEST).binary, "two")


@pytest.mark.parametrize("method", ["Carry", "LookUp"])
async def test_what_the_rules_of_the_node_deny_fails_a_fetch_at_once(net: Any, method: str) -> None:
    one, two = await net.node("one"), await net.node("two", fetch_timeout_ms=3_600_000)
    content = content_of(300_000)
    dataset = await one.put(content)
    await net.announced(parse_text(dataset.cid, MANIFEST).binary, "one")
    net.hub.denied = {method}

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await two.get(dataset.cid)

    assert reason_of(refused.value) == "NETWORK_DENIED"
    assert f"/{method}: `logosctl explain storage mixnet logos." in str(refused.value.details())
    net.hub.denied = set()
    assert await two.get(dataset.cid) == content


async def test_what_is_denied_once_the_manifest_is_here_fails_it_too(net: Any) -> None:
    one, two = await net.node("one"), await net.node("two", fetch_timeout_ms=3_600_000)
    content = content_of(300_000)
    dataset = await one.put(content)
    await net.announced(parse_text(dataset.cid, MANIFEST).binary, "one")
    await two.get(dataset.cid, length=1)
    net.hub.denied = {"Carry", "LookUp"}

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await two.get(dataset.cid)

    assert reason_of(refused.value) == "NETWORK_DENIED"
