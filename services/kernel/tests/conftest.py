"""Makes `support` importable: pytest's importlib mode puts no tests folder on the path."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from observing_kernel import FakeModule, Kernel, running

from full_disk import small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    async with running("base", "top") as made:
        yield made


@pytest.fixture
async def start(kernel: Kernel) -> AsyncIterator[Any]:
    """Starts fake modules, and ends them."""
    async with AsyncExitStack() as stack:

        async def started(name: str) -> FakeModule:
            module = FakeModule(kernel, name)
            await module.server.start([module.endpoint])
            stack.push_async_callback(partial(module.server.stop, 0))
            return module

        yield started
