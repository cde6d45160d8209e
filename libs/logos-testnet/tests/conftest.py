"""A topology, its manifests and its plans."""

from collections.abc import Mapping

import pytest

from logos_base.manifest import parse_manifest
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


@pytest.fixture
def topology() -> Topology:
    return parse_topology(TOPOLOGY)


@pytest.fixture
def manifests() -> Mapping[str, FoundManifest]:
    texts = {
        "mixnet": 'name = "mixnet"\nversion = "0.1.0"\n',
        "storage": 'name = "storage"\nversion = "0.2.0"\nrequires = ["mixnet"]\n# $HOME\n',
    }
    return {name: FoundManifest(parse_manifest(text), text) for name, text in texts.items()}


@pytest.fixture
def processes(topology: Topology, manifests: Mapping[str, FoundManifest]) -> Plan:
    return process_plan(topology, manifests, None)


@pytest.fixture
def containers(topology: Topology, manifests: Mapping[str, FoundManifest]) -> Plan:
    return container_plan(topology, manifests, 7)
