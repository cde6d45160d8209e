"""Where a node can be dialled."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.capability.places import (
    addresses_of_peer,
    ip_of_address,
    own_addresses,
    texts_of,
)

LOOPBACK = "/ip4/127.0.0.1/tcp/1"
LOOPBACK_6 = "/ip6/::1/tcp/1"
PRIVATE = "/ip4/10.210.0.3/tcp/1"
PUBLIC = "/ip4/8.8.8.8/tcp/1"
PUBLIC_6 = "/ip6/2001:4860::1/tcp/1"
NAMED = "/dns4/node.example/tcp/1"


@pytest.mark.parametrize(
    ("listening", "published"),
    [
        ([LOOPBACK], [LOOPBACK]),
        ([LOOPBACK, PRIVATE], [PRIVATE]),
        ([LOOPBACK_6, LOOPBACK], [LOOPBACK, LOOPBACK_6]),
        ([PUBLIC_6, PRIVATE, PUBLIC], [PRIVATE, PUBLIC, PUBLIC_6]),
        (["/ip4/0.0.0.0/tcp/1", "/ip6/fe80::1/tcp/1", PUBLIC], [PUBLIC]),
        (["/ip4/1.1.1.1/udp/1/quic-v1", "/ip4/1.1.1.1/tcp/0"], []),
        ([NAMED, PUBLIC], [PUBLIC, NAMED]),
        ([PUBLIC, PUBLIC + "/p2p/16Uiu2HAm1y6ts52Jtnv3vMnfQMT4fXtdkigab7S9szufSnSeXVPT"], [PUBLIC]),
        (
            [f"/ip4/10.0.0.{n}/tcp/1" for n in range(9)],
            [f"/ip4/10.0.0.{n}/tcp/1" for n in range(4)],
        ),
    ],
)
def test_own_addresses(listening: list[str], published: list[str]) -> None:
    assert texts_of(own_addresses(listening)) == published


@pytest.mark.parametrize(
    ("claimed", "seen", "kept"),
    [
        ([LOOPBACK, PRIVATE], "10.210.0.3", [PRIVATE]),
        ([LOOPBACK], "10.210.0.3", []),
        ([LOOPBACK], None, [LOOPBACK]),
        ([PRIVATE, LOOPBACK], "127.0.0.1", [LOOPBACK, PRIVATE]),
        ([PRIVATE, PUBLIC_6, PUBLIC], "8.8.8.8", [PUBLIC, PRIVATE, PUBLIC_6]),
        ([PRIVATE, PUBLIC], "2001:4860::1", [PRIVATE, PUBLIC]),
    ],
)
def test_addresses_that_a_peer_claims(
    claimed: list[str], seen: str | None, kept: list[str]
) -> None:
    ip = None if seen is None else ip_address(seen)

    assert texts_of(addresses_of_peer(claimed, ip)) == kept


def test_the_ip_of_a_connection() -> None:
    assert ip_of_address("/ip4/8.8.8.8/tcp/5") == ip_address("8.8.8.8")
    assert ip_of_address(NAMED) is None
    assert ip_of_address("nonsense") is None


@given(st.lists(st.text("/ip46tcpdns127.0:", max_size=30), max_size=20))
def test_hostile_claims_are_left_out(claimed: list[str]) -> None:
    kept = texts_of(addresses_of_peer(claimed, ip_address("8.8.8.8")))

    assert len(kept) <= 4
    assert not any("127." in each for each in kept if each.startswith("/ip4"))
