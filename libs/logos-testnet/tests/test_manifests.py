"""Manifests are found beside the code, without importing it."""

import sys

import pytest

from logos_testnet.errors import TopologyError
from logos_testnet.manifests import load_manifests
from logos_testnet.topology import parse_topology

HEAD = 'schema = 1\nname = "x"\nnode_count = 1\n'


def test_the_manifest_lies_in_the_modules_package() -> None:
    found = load_manifests(parse_topology(HEAD + "[modules.mixnet]\n"))

    assert found["mixnet"].manifest.command == ("python", "-m", "logos_mixnet")
    assert "logos_mixnet.node" not in sys.modules


def test_all_that_is_missing_is_told_at_once() -> None:
    topology = parse_topology(
        HEAD + '[modules.ghost]\n[modules.other]\npackage = "logos_base"\n[modules.storage]\n'
    )

    with pytest.raises(TopologyError) as caught:
        load_manifests(topology)

    text = "\n".join(caught.value.problems)
    assert "logos_ghost is not installed" in text
    assert "logos_base holds no module.toml" in text
    assert "storage requires mixnet" in text
