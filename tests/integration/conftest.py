"""One testnet of five nodes for all tests that need a whole one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from integration.commands import ROOT, Command, described
from logos_testnet.layout import layout_of
from logos_testnet.opening import Places, open_testnet, remember
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """State of testnets, apart from the checkout's own."""
    return Places(ROOT, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def testnet(places: Places) -> Iterator[Testnet]:
    """Five nodes, READY and connected; purged at the end."""
    description = described("integration")
    opened = open_testnet(description, places, runtime="processes")
    layout_of(places.state_root, "integration").directory.mkdir(parents=True)
    remember(description, opened, places)
    try:
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))


@pytest.fixture
def logos(places: Places) -> Command:
    """Runs `./logos` words, past the bootstrap, in the tests' own state folder."""
    around = {key: value for key, value in os.environ.items() if not key.startswith("LOGOS_")}
    around |= {"LOGOS_ROOT": str(ROOT), "LOGOS_STATE": str(places.state_root), "NO_COLOR": "1"}

    def run(*words: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "logos_cli", *words],
            input=given,
            capture_output=True,
            env=around,
            check=False,
            timeout=180,
        )

    return run
