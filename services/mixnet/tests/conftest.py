import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what several of these tests share lies here

from mixnet_fake_host import Switchboard
from mixnet_nodes import (
    RunningNode,
    fake_address,
    fake_peer_id,
    fake_signer,
    give_ports_back,
    running,
)


@pytest.fixture(autouse=True)
def ports() -> Iterator[None]:
    """A test keeps the ports that it took to its end."""
    yield
    give_ports_back()


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
async def start_node(
    board: Switchboard, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[RunningNode]]]:
    """Starts node `number` on the switchboard, with all servicers on a Unix socket."""
    async with AsyncExitStack() as stack:

        async def start(number: int, **settings: Any) -> RunningNode:
            host = board.host(fake_peer_id(number), fake_address(number))
            return await stack.enter_async_context(
                running(
                    host,
                    tmp_path / f"n{number}.sock",
                    **{"signer": fake_signer(number), **settings},
                )
            )

        yield start
