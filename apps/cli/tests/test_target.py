"""Which address a node's name stands for."""

from pathlib import Path

import pytest

from logos_cli.target import address_of, chosen_testnet, complete_node
from logos_testnet.endpoints import Endpoints, NodeEndpoints, write_endpoints
from logos_testnet.errors import UnknownNodeError


def put_up(state: Path, testnet: str, node: str, kernel: str) -> None:
    path = state / testnet / "endpoints.json"
    path.parent.mkdir(parents=True)
    nodes = (NodeEndpoints(node, kernel, ("mixnet",), "16U", "/ip4/127.0.0.1/tcp/1"),)
    write_endpoints(path, Endpoints(testnet, "processes", None, nodes))


def test_without_a_testnet_the_rule_for_ports_holds(state: Path) -> None:
    assert address_of("node1") == "127.0.0.1:17001"
    assert address_of("node40") == "127.0.0.1:17040"
    assert address_of("[::1]:5") == "[::1]:5"


@pytest.mark.parametrize("name", ["node0", "node101", "keeper", "node", "node01"])
def test_names_that_no_rule_covers_are_refused(state: Path, name: str) -> None:
    with pytest.raises(UnknownNodeError):
        address_of(name)


def test_the_endpoints_file_goes_before_the_rule(state: Path) -> None:
    put_up(state, "other", "keeper", "127.0.0.1:9")

    assert address_of("keeper") == "127.0.0.1:9"
    assert complete_node("k") == ["keeper"]
    with pytest.raises(UnknownNodeError, match="it has keeper"):
        address_of("node1")


def test_with_several_testnets_up_the_default_is_meant_unless_one_is_named(state: Path) -> None:
    put_up(state, "small", "node1", "127.0.0.1:1")
    put_up(state, "other", "node1", "127.0.0.1:2")

    assert chosen_testnet(None) == "small"
    assert address_of("node1") == "127.0.0.1:1"
    assert address_of("node1", "other") == "127.0.0.1:2"
