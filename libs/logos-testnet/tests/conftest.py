"""A topology, its manifests and its plans."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from logos_base.manifest import parse_manifest
from logos_testnet.layout import Layout, layout_of
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import Plan, container_plan, process_plan
from logos_testnet.topology import Topology, parse_topology

TOPOLOGY = """\
schema = 1
name = "five"
node_count = 5
target_peers = 3
[modules.mixnet]
[modules.storage.settings]
quota_bytes = 7
"""

NETWORK = """\
name = "mixnet"
version = "0.1.0"
[testnet]
networks = ["mesh"]
[testnet.ports]
p2p = 18000
[testnet.settings]
listen = "p2p.listen"
bootstrap = "p2p.bootstrap"
target_peers = "target_peers"
seed = "seed"
[testnet.ready]
call = "logos.network.v1.Peering/GetIdentity"
field = 3
counts = "peers"
at_least = "others"
"""
RLN = """\
name = "rln"
version = "0.1.0"
[testnet]
limits = { memory_mib = 1024, cpus = 0.5 }
[testnet.settings]
common = "genesis.public"
own = "genesis.private"
[testnet.genesis]
command = ["python", "-m", "logos_rln.genesis"]
"""


@pytest.fixture
def topology() -> Topology:
    return parse_topology(TOPOLOGY)


@pytest.fixture
def manifests() -> Mapping[str, FoundManifest]:
    texts = {
        "mixnet": NETWORK,
        "storage": 'name = "storage"\nversion = "0.2.0"\nrequires = ["mixnet"]\n# $HOME\n',
        "rln": RLN,
    }
    return {name: FoundManifest(parse_manifest(text), text) for name, text in texts.items()}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_of(tmp_path, "five")


@pytest.fixture
def processes(topology: Topology, manifests: Mapping[str, FoundManifest], layout: Layout) -> Plan:
    return process_plan(topology, manifests, None, layout)


@pytest.fixture
def containers(topology: Topology, manifests: Mapping[str, FoundManifest]) -> Plan:
    return container_plan(topology, manifests, 7)
