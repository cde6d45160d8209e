"""What the integration tests share: commands, and a testnet of tiny nodes."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.commands import ROOT, Command, Tiny, program, surroundings
from logos_testnet.opening import Places
from own_topology import claim_ports


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """State of testnets, apart from the checkout's own."""
    return Places(ROOT, tmp_path_factory.mktemp("state"))


@pytest.fixture
def logos(places: Places) -> Command:
    """Runs `./logos` words, past the bootstrap, in the tests' own state folder."""

    def run(*words: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            program(*words),
            input=given,
            capture_output=True,
            env=surroundings(places.state_root),
            check=False,
            timeout=180,
        )

    return run


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    """A testnet of two small nodes that a test starts and stops; nothing of it stays."""
    # Short enough for sockets. A process that is ended may still write while it is removed.
    with tempfile.TemporaryDirectory(prefix="logos-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / "state").mkdir()
        one = Tiny(folder, folder / "state", claim_ports())
        one.write(one.text)
        try:
            yield one
        finally:
            one.logos("down", "--topology", one.topology)
            one.remove()
