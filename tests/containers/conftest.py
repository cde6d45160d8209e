"""A container engine, or no test here: in CI its absence is a failure."""

import asyncio
import os

import pytest

from logos_testnet.engine import engine_answers


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Skips where no engine answers."""
    if asyncio.run(engine_answers()):
        return
    if os.environ.get("CI"):
        pytest.fail("no container engine answers")
    pytest.skip("no container engine answers")
