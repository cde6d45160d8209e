"""Makes `support` importable: pytest's importlib mode puts no tests folder on the path."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from broker_rig import BrokerRig, running
from process_engine import ProcessEngine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    """Two nodes with a container each that runs until it is signalled."""
    scripts = {"node1-stays": "exec sleep 9999", "node2-stays": "exec sleep 9999"}
    made = ProcessEngine(tmp_path, scripts)
    yield made
    await made.close()


@pytest.fixture
async def broker(engine: ProcessEngine, tmp_path: Path) -> AsyncIterator[BrokerRig]:
    """The broker of these nodes."""
    async with running(engine, tmp_path) as made:
        yield made
