"""What the integration tests share: a topology of their own, and `./logos` as a function."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from logos_testnet.opening import Description

ROOT = Path(__file__).parents[2]
FRONT_PORTS = 21000

Command = Callable[..., CompletedProcess[bytes]]


def described(name: str, *, node_count: int | None = None, base: int = FRONT_PORTS) -> Description:
    """The default topology under another name, on ports of its own."""
    text = (ROOT / "deploy/topologies/small.toml").read_text(encoding="utf-8")
    for old, new in (
        ('name = "small"', f'name = "{name}"'),
        ("front = 17000", f"front = {base}"),
        ("p2p = 18000", f"p2p = {base + 1000}"),
    ):
        assert old in text
        text = text.replace(old, new)
    return Description(text, f"{name}.toml", node_count)
