"""Networks of front doors with a page are refused where they have a way out (ADR 30)."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from logos_base.manifest import parse_manifest
from logos_testnet.errors import NetworkOutdatedError
from logos_testnet.front_networks import refuse_way_out
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import Plan, container_plan
from logos_testnet.topology import Topology

PAGE = """\
name = "storage"
version = "0.2.0"
[testnet.ports]
page = 20500
[testnet.panel]
title = "Files"
port = "page"
"""
DOCKER = """\
#!/bin/sh
case "$*" in
  "network ls"*) echo logos-five_node1-front; echo logos-five_node2-front; echo other ;;
  "network inspect"*node1-front) echo false ;;
  "network inspect"*) echo ;;
esac
"""


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine with the networks of two nodes; that of the second has a way out."""
    program = tmp_path / "docker"
    program.write_text(DOCKER, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


async def test_one_that_was_made_before_the_page_is_refused(
    topology: Topology, manifests: Mapping[str, FoundManifest]
) -> None:
    found = {**manifests, "storage": FoundManifest(parse_manifest(PAGE), PAGE)}
    plan = container_plan(topology, found, None)

    with pytest.raises(NetworkOutdatedError, match=r"^logos-five_node2-front: made before"):
        await refuse_way_out(plan, "logos-five")


async def test_without_a_page_they_are_as_they_may_be(containers: Plan) -> None:
    await refuse_way_out(containers, "logos-five")
