"""KER-8: a kernel whose memory is in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from kernel_process import Node, made_node

pytestmark = pytest.mark.integration


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


async def test_the_next_kernel_takes_over_what_a_killed_one_has_noted(
    node: Node, postgresql_url: str
) -> None:
    node.add("base")
    node.write_profile(lease_ttl_ms=60_000)
    first = node.start(LOGOS_DATABASE=postgresql_url)
    await node.until_ready()
    before = await node.module("base")

    first.kill()
    first.wait()
    node.kernel = None
    node.start(LOGOS_DATABASE=postgresql_url)
    await node.until_ready()

    after = await node.module("base")
    assert (after.pid, after.epoch, after.restart_count) == (before.pid, 1, 0)
    assert not (node.state_dir / "kernel.sqlite").exists()


async def test_a_server_that_is_not_there_is_named_and_nothing_is_started(node: Node) -> None:
    node.add("base")
    node.write_profile()

    kernel = node.start(
        CAPTURE="1", LOGOS_DATABASE=f"postgresql+asyncpg://logos:secret@/node1?host={node.root}"
    )
    _, said = await asyncio.to_thread(kernel.communicate, timeout=60)

    assert kernel.returncode == 2
    assert said.startswith(b"DATABASE_UNAVAILABLE: postgresql+asyncpg://logos:***@")
    assert b"secret" not in said
    assert not (node.root / "modules").exists()
