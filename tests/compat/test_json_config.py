"""DHT-22: the JSON of the reference's library, as flags and as settings of a node's modules."""

import sys
from pathlib import Path
from typing import Any

import pytest

from logos_delivery.config import parse as parse_delivery

sys.path.insert(0, str(Path(__file__).parents[2] / "compat" / "logos-delivery"))  # a program

from flags import FlagsError
from json_config import read
from node_profile import profile_of

SUITE: dict[str, Any] = {
    "logLevel": "DEBUG",
    "listenAddress": "0.0.0.0",  # noqa: S104 -- as there
    "tcpPort": 50_001,
    "discv5UdpPort": 50_002,
    "restPort": 50_003,
    "restAddress": "0.0.0.0",  # noqa: S104
    "clusterId": "198",
    "relay": True,
    "store": True,
    "filter": False,
    "lightpush": False,
    "peerExchange": False,
    "discv5Discovery": False,
}
"""What the public suite gives every node."""


def delivery(config: dict[str, Any]) -> Any:
    found = read(config)
    profile = profile_of(found.flags, is_reliable=found.is_reliable)
    return parse_delivery(profile.delivery)


def test_the_configuration_of_the_public_suite() -> None:
    flags = read(SUITE).flags
    assert (flags.tcp_port, flags.rest_port) == (50_001, 50_003)
    assert (flags.relay, flags.store, flags.filter, flags.lightpush) == (True, True, False, False)
    assert not flags.rest
    assert not flags.peer_exchange
    found = delivery(SUITE)
    assert (found.preset.cluster, found.preset.shards, found.http) == (198, 1, None)
    assert (found.relays, found.keeps, found.pushes, found.publishes) == (True, True, False, False)


def test_all_shards_are_relayed_unless_some_are_named() -> None:
    assert delivery({**SUITE, "numShardsInNetwork": 8}).shards == tuple(range(8))
    assert delivery(SUITE).shards == (0,)
    assert delivery({**SUITE, "numShardsInNetwork": 8, "shards": [3, 5]}).shards == (3, 5)


def test_stores_are_asked_unless_it_is_said_otherwise() -> None:
    assert delivery(SUITE).preset.is_reliable
    assert not delivery({**SUITE, "reliabilityEnabled": False}).preset.is_reliable
    assert delivery({**SUITE, "preset": "status.prod", "reliability": True}).preset.is_reliable
    assert not delivery({"preset": "status.prod"}).preset.is_reliable


def test_a_mode_says_what_is_not_named() -> None:
    core = read({"clusterId": 3}).flags
    assert (core.relay, core.filter, core.lightpush) == (True, True, True)
    edge = read({"clusterId": 3, "mode": "Edge"}).flags
    assert (edge.relay, edge.filter, edge.lightpush) == (False, False, False)
    assert delivery({**SUITE, "mode": "Edge", "relay": False}).mode == "edge"


def test_the_layered_form() -> None:
    flags = read(
        {
            "entryLayer": "channels",
            "mode": "core",
            "kernelConf": {"tcpPort": 50_001, "clusterId": 3},
            "messagingOverrides": {"reliabilityEnabled": False},
            "channelsOverrides": {},
        }
    )
    assert (flags.flags.tcp_port, flags.flags.cluster_id, flags.is_reliable) == (50_001, 3, False)


def test_ports_are_shifted_and_free_ones_taken_for_zero() -> None:
    flags = read({**SUITE, "portsShift": 2, "restPort": 0, "metricsServerPort": 0}).flags
    assert flags.tcp_port == 50_003
    assert len({flags.rest_port, flags.metrics_server_port, 0}) == 3
    assert flags.ports_shift == 0


def test_lists_are_repeated_flags() -> None:
    addresses = ["/ip4/1.2.3.4/tcp/1/p2p/16Uiu2HAm", "/ip4/1.2.3.4/tcp/2/p2p/16Uiu2HAn"]
    assert read({**SUITE, "staticnodes": addresses}).flags.staticnode == tuple(addresses)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"noSuchKey": 1}, "nosuchkey: unknown"),
        ({"mode": "both"}, "mode: "),
        ({"entryLayer": "kernel"}, "entryLayer: "),
        ({"tcpPort": 70_000}, "--tcp-port: "),
        ({"reliabilityEnabled": "yes"}, "reliabilityEnabled: "),
        ({"channelsOverrides": {"a": 1}}, "channelsOverrides: "),
        ({"preset": "none"}, "--preset: "),
        ({"rlnRelay": True}, "--rln-relay: "),
    ],
)
def test_what_cannot_be_kept_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(FlagsError, match=text):
        read({**SUITE, **changes})


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(FlagsError, match=r"mode: .*; a: unknown; --rest-port: "):
        read({"mode": "x", "a": 1, "restPort": -1})
