"""Pages of modules: where they are, with processes and in containers (ADR 30)."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace

import pytest
import yaml

from logos_base.manifest import parse_manifest
from logos_testnet.app_process import panels_of_others
from logos_testnet.compose import render_compose
from logos_testnet.errors import TopologyError
from logos_testnet.layout import Layout
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import MAX_PAGES, Plan, container_plan, process_plan
from logos_testnet.topology import ModuleSpec, Topology

PAGE = """\
name = "{name}"
version = "0.2.0"
[testnet.ports]
{name}-page = 20500
[testnet.settings]
page = "{name}-page.address"
[testnet.panel]
title = "Files"
port = "{name}-page"
"""


def manifest(name: str) -> FoundManifest:
    text = PAGE.format(name=name)
    return FoundManifest(parse_manifest(text), text)


@pytest.fixture
def with_page(manifests: Mapping[str, FoundManifest]) -> Mapping[str, FoundManifest]:
    return {**manifests, "storage": manifest("storage")}


@pytest.fixture
def contained(topology: Topology, with_page: Mapping[str, FoundManifest]) -> Plan:
    return container_plan(replace(topology, app_port=17900), with_page, None)


def test_with_processes_it_is_on_loopback_at_each_node_s_port(
    topology: Topology, with_page: Mapping[str, FoundManifest], layout: Layout
) -> None:
    plan = process_plan(topology, with_page, None, layout)

    pages = [one.panel for node in plan.nodes for one in node.modules if one.name == "storage"]
    assert pages == [f"127.0.0.1:{20500 + at}" for at in range(1, len(plan.nodes) + 1)]
    assert panels_of_others(plan) == ["storage:Files=127.0.0.1:20501"]


def test_in_containers_it_is_on_the_front_network_of_its_node(contained: Plan) -> None:
    taken = set()
    for node in contained.nodes:
        assert node.networks is not None
        taken |= {node.networks.front_kernel, node.networks.front_app}
        for module in node.modules:
            if module.name != "storage":
                assert (module.front_address, module.panel) == (None, "")
                continue
            assert module.front_address in node.networks.front
            assert module.front_address not in taken
            assert module.panel == f"{module.front_address}:20500"
            assert module.settings["page"] == module.panel


def test_that_module_alone_joins_it_and_it_has_no_way_out(contained: Plan) -> None:
    document = yaml.safe_load(render_compose(contained, source="x"))

    services, networks = document["services"], document["networks"]
    for node in contained.nodes:
        name, front = node.name, f"{node.name}-front"
        on_front = {key for key, one in services.items() if front in one.get("networks", {})}
        assert on_front == {f"{name}-kernel", f"{name}-storage", "app"}
        told = tomllib.loads(services["broker"]["environment"]["LOGOS_DESCRIPTION_TOML"])
        assert told["nodes"][name]["storage"]["networks"] == [name, front]
        option = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
        assert networks[front]["driver_opts"] == option


def test_the_app_is_on_front_networks_alone_and_told_of_it(contained: Plan) -> None:
    app = yaml.safe_load(render_compose(contained, source="x"))["services"]["app"]

    assert app["networks"].keys() == {f"{node.name}-front" for node in contained.nodes}
    (page,) = (one.panel for one in contained.nodes[0].modules if one.name == "storage")
    assert app["environment"]["LOGOS_APP_OTHERS"] == f"storage:Files={page}"


def test_without_a_page_nothing_is_different(containers: Plan) -> None:
    topology = replace(containers.topology, app_port=17900)
    document = yaml.safe_load(render_compose(replace(containers, topology=topology), source="x"))

    assert "LOGOS_APP_OTHERS" not in document["services"]["app"]["environment"]
    assert not any("driver_opts" in one for one in document["networks"].values())


def test_more_pages_than_the_network_has_addresses_are_refused(topology: Topology) -> None:
    names = [f"page{at}" for at in range(MAX_PAGES + 1)]
    specs = tuple(ModuleSpec(name, name) for name in names)
    nodes = tuple(replace(node, modules=specs) for node in topology.nodes)

    with pytest.raises(TopologyError, match="at most 3 modules of a node serve a page, not 4"):
        container_plan(
            replace(topology, nodes=nodes), {name: manifest(name) for name in names}, None
        )
