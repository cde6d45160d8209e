"""Every value that a manifest can name, and what a module gets for it."""

from ipaddress import IPv4Address

import pytest

from logos_base.needs import Needs
from logos_testnet.derived import Placement, Value, derive

PLACEMENTS = {
    f"node{number}": Placement(
        IPv4Address("10.0.0.1"), {"api": 8000 + number}, "/public", "/private"
    )
    for number in range(1, 8)
}


def value(name: str, node: str, seed: int | None = None) -> Value | None:
    needs = Needs(ports={"api": 8000}, settings={"it": name})
    return derive(needs, node, PLACEMENTS, target_peers=3, seed=seed).get("it")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("target_peers", 3),
        ("seed", 9),
        ("genesis.public", "/public"),
        ("genesis.private", "/private"),
        ("api.listen", ["/ip4/10.0.0.1/tcp/8006"]),
        ("api.address", "10.0.0.1:8006"),
        ("api.bootstrap", [f"/ip4/10.0.0.1/tcp/800{number}" for number in (2, 3, 4, 5)]),
        ("api.peers", [f"/ip4/10.0.0.1/tcp/800{number}" for number in (1, 2, 3, 4, 5, 7)]),
    ],
)
def test_a_value_is(name: str, expected: Value) -> None:
    assert value(name, "node6", seed=9) == expected


def test_the_first_node_bootstraps_from_the_second() -> None:
    assert value("api.bootstrap", "node1") == ["/ip4/10.0.0.1/tcp/8002"]


def test_without_a_seed_there_is_no_setting_of_it() -> None:
    assert value("seed", "node1") is None
