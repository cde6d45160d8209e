"""Two modules that are not ours by privilege, of examples/: guestbook in Python, tally in Go."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from own_topology import ROOT, PortBlock

GUESTBOOK: Final = ROOT / "examples" / "guestbook-python"
TALLY: Final = ROOT / "examples" / "tally-go"
RESTARTS: Final = """
[restart]
max_restarts = 1000
backoff_base_ms = 100
backoff_max_ms = 200
"""
"""What a test adds to the manifest of a module that it kills often."""


def build_tally(folder: Path) -> Path:
    """Builds the module in Go into a folder, with its manifest; skips where there is no Go.

    Go's own cache, by content, keeps what it has built before.
    """
    if shutil.which("go") is None and not os.environ.get("CI"):
        pytest.skip("there is no Go here")
    folder.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        ["go", "build", "-o", str(folder / "tally"), "."],
        cwd=TALLY,
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    manifest = (TALLY / "module.toml").read_text(encoding="utf-8")
    (folder / "module.toml").write_text(manifest + RESTARTS, encoding="utf-8")
    return folder


def topology_of(name: str, ports: PortBlock, tally: str) -> str:
    """A node with storage and the two modules.

    Args:
        name: Of the testnet.
        ports: Its own.
        tally: What the table of the module in Go says.
    """
    return (
        f'schema = 1\nname = "{name}"\nnode_count = 1\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n'
        "[modules.mixnet]\n[modules.storage]\n[modules.guestbook]\n"
        f"[modules.tally]\n{tally}\n"
    )
