"""One testnet for all tests of this folder: a service node, two that relay, a light node.

The folder is a package, so that they run in one process.
"""

from collections.abc import Iterator

import pytest

from logos_testnet.opening import Description, Places
from logos_testnet.testnet import Testnet
from own_topology import claim_ports, running

NODES = """
[modules.mixnet.settings]
mix = "off"
rln = "off"

[modules.delivery.settings]
preset = "logos.dev"

[[nodes]]
name = "service"

[[nodes]]
name = "publisher"
[nodes.settings.delivery]
filter = false
light_push = false

[[nodes]]
name = "other"
[nodes.settings.delivery]
filter = false
light_push = false

[[nodes]]
name = "light"
[nodes.settings.delivery]
mode = "edge"
"""
"""Without rate limits, so that peers that are not ours can publish too."""


@pytest.fixture(scope="package")
def testnet(places: Places) -> Iterator[Testnet]:
    """The light node has one node alone that pushes and publishes for it."""
    ports = claim_ports()
    text = (
        'schema = 1\nname = "messages"\n'
        f"[ports]\nfront = {ports.front}\np2p = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n{NODES}'
    )
    with running(Description(text, "messages.toml"), places, "processes") as opened:
        yield opened
