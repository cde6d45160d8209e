"""Addresses, bootstrap lists and profiles."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from itertools import pairwise

import pytest

from logos_testnet.errors import TopologyError
from logos_testnet.layout import Layout
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import Plan, container_plan, mesh_network, process_plan
from logos_testnet.topology import parse_topology


def mixnet_of(plan: Plan, position: int) -> Mapping[str, object]:
    return plan.nodes[position].modules[0].settings


def test_node_n_has_the_ports_base_plus_n(processes: Plan) -> None:
    assert [node.front for node in processes.nodes][:2] == ["127.0.0.1:17001", "127.0.0.1:17002"]
    assert processes.nodes[4].p2p_address == "/ip4/127.0.0.1/tcp/18005"


def test_each_node_lists_up_to_four_lower_ones_and_the_first_the_second(processes: Plan) -> None:
    def listed(position: int) -> list[int]:
        addresses = mixnet_of(processes, position)["bootstrap"]
        assert isinstance(addresses, list)
        return [int(address[-1]) for address in addresses]

    assert [listed(position) for position in range(5)] == [
        [2],
        [1],
        [1, 2],
        [1, 2, 3],
        [1, 2, 3, 4],
    ]


def test_a_seed_reaches_the_mixnet_alone(processes: Plan, containers: Plan) -> None:
    assert "seed" not in mixnet_of(processes, 0)
    assert mixnet_of(containers, 0)["seed"] == 7
    assert containers.nodes[0].modules[1].settings == {"quota_bytes": 7}


def test_defaults_for_testnets_give_way_to_the_topology(
    manifests: Mapping[str, FoundManifest],
) -> None:
    text = 'schema = 1\nname = "x"\nnode_count = 2\n[modules.rln]\nsettings = { pace = "slow" }\n'
    rln = manifests["rln"].manifest
    needs = replace(rln.needs, defaults={"pace": "fast", "slots": 3})
    found = FoundManifest(replace(rln, needs=needs), "")

    plan = container_plan(parse_topology(text), {"rln": found}, None)

    settings = mixnet_of(plan, 1)
    assert (settings["pace"], settings["slots"]) == ("slow", 3)


def test_a_profile_says_what_the_kernel_reads(processes: Plan) -> None:
    profile = tomllib.loads(processes.profile(processes.nodes[1]))

    assert profile["schema"] == 1
    assert (profile["testnet"], profile["node"]) == ("five", "node2")
    assert profile["runtime"] == "process"
    assert profile["modules"]["storage"] == {
        "manifest": "storage.toml",
        "settings": {"quota_bytes": 7},
    }
    assert profile["modules"]["mixnet"]["settings"]["target_peers"] == 3


def test_a_profile_says_how_modules_are_supervised(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    text = (
        'schema = 1\nname = "x"\nnode_count = 1\n[kernel]\nlease_ttl_ms = 900\n'
        '[groups.all]\nstrategy = "one_for_all"\n[modules.mixnet]\ngroup = "all"\n'
        "restart = { max_restarts = 1 }\n"
    )
    plan = process_plan(parse_topology(text), manifests, None, layout)

    profile = tomllib.loads(plan.profile(plan.nodes[0]))

    assert profile["kernel"] == {"lease_ttl_ms": 900}
    assert profile["groups"] == {"all": {"strategy": "one_for_all"}}
    mixnet = profile["modules"]["mixnet"]
    assert (mixnet["group"], mixnet["restart"]) == ("all", {"max_restarts": 1})


def wanted(text: str, manifests: Mapping[str, FoundManifest], layout: Layout) -> list[list[int]]:
    plan = process_plan(parse_topology(text), manifests, None, layout)
    return [[module.wanted for module in node.modules] for node in plan.nodes]


def test_a_module_wants_as_many_others_as_the_topology_asks_for_or_as_have_it(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    head = 'schema = 1\nname = "x"\n{}\n[modules.mixnet]\n[modules.rln]\n'

    assert wanted(head.format("node_count = 6"), manifests, layout) == [[4, 0]] * 6
    assert wanted(head.format("node_count = 2"), manifests, layout) == [[1, 0]] * 2
    listed = head.format("") + "[[nodes]]\n" * 2 + '[[nodes]]\nmodules = ["rln"]\n'
    assert wanted(listed, manifests, layout) == [[1, 0], [1, 0], [0]]


def test_only_nodes_that_have_a_module_are_asked_to_it(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    text = 'schema = 1\nname = "x"\n[modules.mixnet]\n[modules.rln]\n'
    nodes = '[[nodes]]\n[[nodes]]\nmodules = ["rln"]\n[[nodes]]\nmodules = ["mixnet"]\n'

    plan = process_plan(parse_topology(text + nodes), manifests, None, layout)

    assert plan.nodes[0].modules[0].settings["bootstrap"] == ["/ip4/127.0.0.1/tcp/18003"]
    assert plan.nodes[1].p2p_address == ""
    assert plan.nodes[2].modules[0].ports == {"p2p": 18003}


def test_a_genesis_is_found_where_the_runtime_puts_it(
    manifests: Mapping[str, FoundManifest], layout: Layout
) -> None:
    topology = parse_topology('schema = 1\nname = "x"\nnode_count = 2\n[modules.rln]\n')

    process = process_plan(topology, manifests, None, layout).nodes[1].modules[0].settings
    container = container_plan(topology, manifests, None).nodes[1].modules[0].settings

    assert process == {
        "common": str(layout.directory / "genesis/rln"),
        "own": str(layout.directory / "node2/genesis/rln"),
    }
    assert container == {"common": "/genesis/public", "own": "/genesis/private"}


def test_a_node_in_containers_has_no_more_modules_than_addresses(layout: Layout) -> None:
    text = 'schema = 1\nname = "x"\nnode_count = 1\n'
    text += "".join(f"[modules.m{number}]\n" for number in range(13))

    with pytest.raises(TopologyError, match="at most 12 modules"):
        container_plan(parse_topology(text), {}, None)


def test_a_hundred_nodes_have_networks_that_do_not_touch(
    manifests: Mapping[str, FoundManifest],
) -> None:
    text = 'schema = 1\nname = "x"\nnode_count = 100\n[modules.mixnet]\n[modules.storage]\n'
    topology = parse_topology(text)
    plan = container_plan(topology, manifests, None)
    networks: list[IPv4Network] = [mesh_network(topology)]
    for node in plan.nodes:
        assert node.networks is not None
        networks += [node.networks.modules, node.networks.front]
        inside = [node.networks.kernel, *(module.address for module in node.modules)]
        assert all(address in node.networks.modules for address in inside)
        assert len(set(inside)) == 3
        assert node.networks.mesh in networks[0]

    networks.sort()

    assert all(a.broadcast_address < b.network_address for a, b in pairwise(networks))
    assert all(network.subnet_of(topology.subnet) for network in networks)
