"""Two modules that are not ours by privilege, of examples/: guestbook in Python, tally in Go."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from logos.kernel.v1 import (
    capability_pb2_grpc,
    installer_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
)
from logos_client.channels import channel_to
from logos_testnet.testnet import Testnet
from own_topology import ROOT, PortBlock

GUESTBOOK: Final = ROOT / "examples" / "guestbook-python"
TALLY: Final = ROOT / "examples" / "tally-go"
sys.path.append(str(GUESTBOOK / "src"))

from guestbook.v1 import guestbook_pb2, guestbook_pb2_grpc  # noqa: E402 - found in the line before
from tally.v1 import tally_pb2, tally_pb2_grpc  # noqa: E402 - as above

TIMEOUT_S: Final = 60
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
        env=os.environ | {"CGO_ENABLED": "0"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    manifest = (TALLY / "module.toml").read_text(encoding="utf-8")
    (folder / "module.toml").write_text(manifest + RESTARTS, encoding="utf-8")
    return folder


def topology_of(name: str, ports: PortBlock, guestbook: str, tally: str) -> str:
    """A node with storage and the two modules.

    Args:
        name: Of the testnet.
        ports: Its own.
        guestbook: What the table of the module in Python says.
        tally: And that of the one in Go.
    """
    return (
        f'schema = 1\nname = "{name}"\nnode_count = 1\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n'
        "[modules.mixnet]\n[modules.storage]\n"
        f"[modules.guestbook]\n{guestbook}\n[modules.tally]\n{tally}\n"
    )


@dataclass
class Door:
    """The front door of the node."""

    guestbook: Any
    tally: Any
    kernel: Any
    capability: Any
    installer: Any

    async def process_of(self, module: str) -> module_pb2.Module:
        """How a module is."""
        status = await self.kernel.GetStatus(kernel_pb2.GetStatusRequest(), timeout=TIMEOUT_S)
        (found,) = (each for each in status.modules if each.name == module)
        return module_pb2.Module.FromString(found.SerializeToString())


@asynccontextmanager
async def door_of(node: Testnet) -> AsyncIterator[Door]:
    """Opens it."""
    async with channel_to(node.plan.nodes[0].front, node.bearer) as channel:
        yield Door(
            guestbook_pb2_grpc.GuestbookStub(channel),
            tally_pb2_grpc.TallyStub(channel),
            kernel_pb2_grpc.KernelStub(channel),
            capability_pb2_grpc.CapabilityStub(channel),
            installer_pb2_grpc.InstallerStub(channel),
        )


async def assert_that_they_call_each_other(door: Door) -> None:
    """Signs an empty book twice; every answer takes storage and the other module."""
    texts = ["in the beginning", "was the command line"]
    signed = [
        await door.guestbook.Sign(guestbook_pb2.SignRequest(text=text), timeout=TIMEOUT_S)
        for text in texts
    ]
    entry = guestbook_pb2.ReadRequest(cid=signed[1].cid)
    read = await door.guestbook.Read(entry, timeout=TIMEOUT_S)
    report = await door.tally.Report(tally_pb2.ReportRequest(), timeout=TIMEOUT_S)
    again = tally_pb2.CountRequest(cid=report.cid)

    assert (read.text, read.words) == (texts[1], 4)
    assert (report.entries, report.words) == (2, 7)
    assert (await door.tally.Count(again, timeout=TIMEOUT_S)).words == 4, "a CID and a number each"
