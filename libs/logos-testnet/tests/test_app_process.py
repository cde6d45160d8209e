"""What the app is told of a testnet: panels that modules declare by address."""

from collections.abc import Mapping
from dataclasses import replace

from logos_base.manifest import parse_manifest
from logos_testnet.app_process import app_address, panels_of_others
from logos_testnet.layout import Layout
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import Plan, process_plan
from logos_testnet.topology import Topology

PANEL = (
    'name = "storage"\nversion = "0.2.0"\nrequires = ["mixnet"]\n'
    '[testnet.panel]\ntitle = "Files & more"\naddress = "127.0.0.1:20500"\n'
)


def test_a_testnet_without_such_panels_names_none(processes: Plan) -> None:
    assert panels_of_others(processes) == []


def test_a_panel_is_named_once_for_all_nodes(
    topology: Topology, manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    found = replace(manifests["storage"], manifest=parse_manifest(PANEL), text=PANEL)
    plan = process_plan(topology, {**manifests, "storage": found}, None, layout)

    assert panels_of_others(plan) == ["storage:Files%20%26%20more=127.0.0.1:20500"]


def test_the_address_is_a_host_of_its_own() -> None:
    assert app_address("small", 17900) == "http://small.localhost:17900"
