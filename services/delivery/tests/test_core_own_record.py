"""DLC-38: what a node says about itself, and how its content is numbered."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import node_record
from logos_crypto.node_record import MAX_RECORD_BYTES
from logos_delivery.core.enr import record
from logos_delivery.core.enr.errors import EnrTooLargeError
from logos_delivery.core.enr.fields import Capability, NodeFields, addresses, read
from logos_delivery.core.enr.identity import RecordKey, peer_id_of, public_key_of
from logos_delivery.core.enr.own import mark_of, next_sequence, own_content, own_fields
from logos_delivery.core.enr.shards import RelayShards

KEY = RecordKey(bytes(range(1, 33)))
RELAY = Capability.RELAY
SHARDS = RelayShards(2, (0, 5))


def signed(content: bytes) -> record.Record:
    return record.decode(node_record.joined(KEY.sign(content), content))


def test_the_first_addresses_have_fields_and_the_others_are_multiaddresses() -> None:
    said = own_fields(
        (
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/10.0.0.2/tcp/2",
            "/ip6/fd00::1/tcp/3",
            "/dns4/node.example/tcp/4",
            "/onion3/x:1",
        ),
        RELAY,
        SHARDS,
    )

    assert (said.ip, said.tcp) == (ipaddress.IPv4Address("10.0.0.1"), 1)
    assert (said.ip6, said.tcp6) == (ipaddress.IPv6Address("fd00::1"), 3)
    assert said.multiaddrs == ("/ip4/10.0.0.2/tcp/2", "/dns4/node.example/tcp/4")
    made = signed(own_content(KEY.public_key, 9, said))
    assert read(made) == said
    assert addresses(read(made))[:2] == ("/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/3")
    assert made.sequence == 9


def test_one_port_of_both_families_is_said_once() -> None:
    said = own_fields(("/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1"), RELAY, None)
    assert said.tcp6 is None
    assert addresses(said) == ("/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1")


def test_a_node_with_ipv6_alone_is_found_there() -> None:
    said = own_fields(("/ip6/fd00::1/tcp/3",), RELAY, None)
    assert addresses(said) == ("/ip6/fd00::1/tcp/3",)


def test_multiaddresses_that_do_not_fit_are_left_out_the_last_first() -> None:
    names = [f"/dns4/{letter * 60}.example/tcp/4" for letter in "abcd"]
    made = signed(own_content(KEY.public_key, 1, own_fields(names, RELAY, SHARDS)))

    assert len(made.raw) <= MAX_RECORD_BYTES
    assert read(made).multiaddrs == tuple(names[:1])
    assert read(made).shards == SHARDS


def test_what_does_not_fit_without_them_is_an_error() -> None:
    crowded = NodeFields(
        shards=RelayShards(1, tuple(range(64))), ip6=ipaddress.IPv6Address(1), mix_key=bytes(32)
    )
    with pytest.raises(EnrTooLargeError):
        own_content(KEY.public_key, 1, crowded)


def test_another_content_has_another_mark() -> None:
    one = own_fields(("/ip4/10.0.0.1/tcp/1",), RELAY, SHARDS)
    other = own_fields(("/ip4/10.0.0.1/tcp/2",), RELAY, SHARDS)
    key = RecordKey(bytes(range(2, 34))).public_key
    marks = {mark_of(KEY.public_key, one), mark_of(KEY.public_key, other), mark_of(key, one)}

    assert len(marks) == 3
    assert all(0 <= mark < 1 << 63 for mark in marks)
    assert mark_of(KEY.public_key, one) in marks


@given(st.none() | st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_number_is_above_the_last_whatever_the_clock_says(last: int | None, now: int) -> None:
    assert next_sequence(last, now) > (last or 0)
    assert next_sequence(last, now) >= now


def test_a_key_is_read_from_the_peer_id_that_holds_it() -> None:
    assert public_key_of(peer_id_of(KEY.public_key)) == KEY.public_key
    for other in ("12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp", "Qm", "", "0"):
        assert public_key_of(other) is None
