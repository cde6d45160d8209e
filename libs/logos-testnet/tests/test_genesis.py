"""Genesis jobs beside processes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from logos_base.needs import Genesis
from logos_testnet.errors import GenesisError
from logos_testnet.genesis import run_genesis
from logos_testnet.layout import Layout
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import Plan, process_plan
from logos_testnet.progress import NodeProgress, Note, silent
from logos_testnet.topology import parse_topology

MAKES = """
import json, os, pathlib
job = json.loads(os.environ["LOGOS_GENESIS"])
pathlib.Path(job["public"], "all").write_text(" ".join(job["nodes"]))
for name, node in job["nodes"].items():
    pathlib.Path(node["folder"], "own").write_text(node["settings"]["own"])
"""


def planned(
    manifests: Mapping[str, FoundManifest],
    layout: Layout,
    program: str,
    *,
    nodes: int = 2,
    late_nodes: bool = False,
) -> Plan:
    """Nodes with a module whose job is a Python program."""
    found = manifests["rln"]
    genesis = Genesis(("python", "-c", program), late_nodes=late_nodes)
    needs = replace(found.manifest.needs, genesis=genesis)
    found = replace(found, manifest=replace(found.manifest, needs=needs))
    topology = parse_topology(f'schema = 1\nname = "x"\nnode_count = {nodes}\n[modules.rln]\n')
    return process_plan(topology, {"rln": found}, None, layout)


async def test_what_a_job_makes_lies_where_the_modules_settings_say(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    plan = planned(manifests, layout, MAKES)
    told: list[NodeProgress | Note] = []

    await run_genesis(plan, layout, told.append)
    await run_genesis(plan, layout, told.append)

    assert told == [Note("making the genesis of rln")]
    assert (layout.public_genesis("rln") / "all").read_text(encoding="utf-8") == "node1 node2"
    for node in plan.nodes:
        own = layout.private_genesis(node.name, "rln")
        assert [path.name for path in own.iterdir()] == ["own"]
        assert (own / "own").read_text(encoding="utf-8") == node.modules[0].settings["own"]
        assert node.modules[0].settings["own"] == str(own)


async def test_a_node_that_is_added_does_without_only_where_the_manifest_says_so(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    await run_genesis(planned(manifests, layout, MAKES), layout, silent)

    with pytest.raises(GenesisError, match=r"GENESIS_MISMATCH.* not for node3"):
        await run_genesis(planned(manifests, layout, MAKES, nodes=3), layout, silent)
    more = planned(manifests, layout, MAKES, nodes=3, late_nodes=True)
    await run_genesis(more, layout, silent)

    assert (layout.public_genesis("rln") / "all").read_text(encoding="utf-8") == "node1 node2"
    assert not layout.private_genesis("node3", "rln").exists()


async def test_a_job_that_fails_is_reported_with_its_last_words(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    plan = planned(manifests, layout, "import sys; sys.exit('no luck today')")

    with pytest.raises(GenesisError, match=r"(?s)genesis of rln was not made.*no luck today"):
        await run_genesis(plan, layout, silent)


async def test_without_a_job_nothing_is_made(processes: Plan, layout: Layout) -> None:
    await run_genesis(processes, layout, silent)

    assert not layout.directory.exists()
