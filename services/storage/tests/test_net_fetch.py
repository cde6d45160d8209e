from typing import Any

import pytest

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
