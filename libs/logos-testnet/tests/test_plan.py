"""Addresses, bootstrap lists and profiles."""

import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network
from itertools import pairwise

from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import Plan, container_plan, mesh_network
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
