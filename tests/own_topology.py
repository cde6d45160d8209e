"""Topologies of tests, on ports that are free and never those of another test process.

Below 32768, where systems begin to take ports for outgoing connections.
"""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, open_testnet, remember
from logos_testnet.ports import taken_ports
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet

ROOT: Final = Path(__file__).parents[1]
_FIRST: Final = 20_000
_LAST: Final = 32_000
_SIZE: Final = 100


@dataclass(frozen=True)
class PortBlock:
    """A hundred ports of this process's own, as long as it lives."""

    base: int

    @property
    def front(self) -> int:
        """Base of the front doors."""
        return self.base

    @property
    def p2p(self) -> int:
        """Base of libp2p."""
        return self.base + _SIZE // 2

    @property
    def page(self) -> int:
        """Base of the hello module's pages."""
        return self.base + 3 * _SIZE // 4

    @property
    def app(self) -> int:
        """The app's port."""
        return self.base + _SIZE - 1

    @property
    def subnet(self) -> str:
        """A private /16 of its own, for containers."""
        return f"10.{20 + (self.base - _FIRST) // _SIZE}.0.0/16"


def claim_ports() -> PortBlock:
    """Claims a block of free ports: its first, at which no node stands, is bound until the end."""
    for base in range(_FIRST, _LAST, _SIZE):
        claim = socket.socket()
        try:
            claim.bind(("127.0.0.1", base))
        except OSError:
            claim.close()
            continue
        if not taken_ports(list(range(base + 1, base + _SIZE))):
            claim.detach()  # stays bound until the process ends
            return PortBlock(base)
        claim.close()
    raise RuntimeError("every block of ports is taken")


def described(name: str) -> Description:
    """The default topology under another name, on ports and a subnet of its own."""
    ports = claim_ports()
    text = (ROOT / "deploy/topologies/small.toml").read_text(encoding="utf-8")
    for pattern, new in (
        (r'^name = ".*"$', f'name = "{name}"'),
        (r"^front = \d+$", f"front = {ports.front}"),
        (r"^p2p = \d+$", f"p2p = {ports.p2p}"),
        (r"^app = \d+", f"app = {ports.app}"),
        (r'^subnet = ".*"$', f'subnet = "{ports.subnet}"'),
    ):
        text, count = re.subn(pattern, new, text, flags=re.MULTILINE)
        assert count == 1, pattern
    return Description(text, f"{name}.toml")


@contextmanager
def running(description: Description, places: Places, runtime: str) -> Iterator[Testnet]:
    """A testnet that is READY and connected; purged at the end."""
    opened = open_testnet(description, places, runtime=runtime)
    layout_of(places.state_root, opened.plan.topology.name).directory.mkdir(parents=True)
    remember(description, opened, places)
    try:
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))
