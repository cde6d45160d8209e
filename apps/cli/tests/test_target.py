"""Which address a node's name stands for."""

from pathlib import Path

import pytest

from logos_cli.advice import command
from logos_cli.target import UnknownFolderError, address_of, complete_node, node_addresses
from logos_testnet.endpoints import Endpoints, NodeEndpoints, write_endpoints
from logos_testnet.errors import (
    AmbiguousTestnetError,
    UnknownNodeError,
    UnknownTestnetError,
    UnreadableStateError,
)
from logos_testnet.layout import layout_of
from logos_testnet.state import remember_start


def remember(state: Path, testnet: str) -> None:
    layout = layout_of(state, testnet)
    layout.directory.mkdir(parents=True)
    topology = (
        f'schema = 1\nname = "{testnet}"\nnode_count = 3\n[ports]\nfront = 4000\n[modules.mixnet]\n'
    )
    remember_start(layout, topology=topology, node_count=2, runtime="processes", seed=None)


def put_up(state: Path, testnet: str, node: str, kernel: str) -> None:
    remember(state, testnet)
    nodes = (NodeEndpoints(node, kernel, ("mixnet",), "16U", "/ip4/127.0.0.1/tcp/1"),)
    endpoints = Endpoints(testnet, "processes", None, nodes)
    write_endpoints(layout_of(state, testnet).endpoints, endpoints)


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


def test_with_several_testnets_up_one_must_be_named(state: Path) -> None:
    put_up(state, "small", "node1", "127.0.0.1:1")
    put_up(state, "other", "node1", "127.0.0.1:2")

    with pytest.raises(AmbiguousTestnetError, match="other, small"):
        address_of("node1")
    assert address_of("node1", "other") == "127.0.0.1:2"
    assert complete_node("node") == ["node1", "node2", "node3", "node4", "node5"]


def test_a_testnet_that_is_not_there_is_no_other(state: Path) -> None:
    put_up(state, "small", "node1", "127.0.0.1:1")

    with pytest.raises(UnknownTestnetError, match="there are small"):
        address_of("node1", "smal")
    with pytest.raises(UnknownTestnetError):
        node_addresses("smal")


def test_the_rule_for_ports_is_no_answer_for_a_testnet_that_is_named(state: Path) -> None:
    with pytest.raises(UnknownTestnetError, match="there is none"):
        address_of("node1", "small")


def test_a_testnet_that_is_not_up_has_the_addresses_of_its_topology(state: Path) -> None:
    remember(state, "small")

    assert node_addresses("small") == [("node1", "127.0.0.1:4001"), ("node2", "127.0.0.1:4002")]
    assert address_of("node2") == "127.0.0.1:4002"
    with pytest.raises(UnknownNodeError):
        address_of("node3")


def test_endpoints_that_cannot_be_read_are_not_taken_for_none(state: Path) -> None:
    put_up(state, "small", "node1", "127.0.0.1:1")
    layout_of(state, "small").endpoints.write_text("", encoding="utf-8")

    with pytest.raises(UnreadableStateError):
        address_of("node1")


@pytest.mark.parametrize("variable", ["LOGOS_ROOT", "LOGOS_STATE"])
def test_a_folder_that_is_not_there_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("LOGOS_STATE")
    monkeypatch.setenv(variable, str(state / "none"))

    with pytest.raises(UnknownFolderError, match=variable):
        address_of("node1")


def test_an_empty_variable_names_no_folder(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGOS_STATE", "")
    put_up(state.parent / ".logos", "small", "keeper", "127.0.0.1:1")

    assert address_of("keeper") == "127.0.0.1:1"


def test_advice_names_the_testnet_where_plain_words_may_mean_another(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(state, "relays")
    assert command("down", "relays", "--purge") == "./logos down --purge"

    monkeypatch.setenv("LOGOS_TESTNET", "small")
    assert command("up", "relays") == "./logos up --testnet relays"

    monkeypatch.delenv("LOGOS_TESTNET")
    remember(state, "small")
    words = "--node keeper peers"
    assert command("ctl", "relays", words) == "./logos ctl --testnet relays --node keeper peers"
