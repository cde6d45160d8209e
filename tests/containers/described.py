"""The default topology under another name, port range and subnet."""

from pathlib import Path

from logos_testnet.opening import Description

PLACES_ROOT = Path(__file__).parents[2]


def described(name: str) -> Description:
    """A topology that stands beside whatever else runs here."""
    text = (PLACES_ROOT / "deploy/topologies/small.toml").read_text(encoding="utf-8")
    for old, new in (
        ('name = "small"', f'name = "{name}"'),
        ("front = 17000", "front = 21400"),
        ("p2p = 18000", "p2p = 22400"),
        ("10.210.0.0/16", "10.212.0.0/16"),
    ):
        assert old in text
        text = text.replace(old, new)
    return Description(text, f"{name}.toml")
