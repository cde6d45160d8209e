import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixnet_nodes import fake_peer_id

from logos_crypto import base58
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.errors import InvalidAddressError, InvalidPeerIdError
from logos_mixnet.core.identity import is_valid_secret, parse_peer_id, seeded_secret

# Published in libp2p's peer-id specification.
ED25519_ID = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
SHA256_ID = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


@pytest.mark.parametrize("text", [fake_peer_id(1), ED25519_ID, SHA256_ID])
def test_peer_ids_of_every_form_are_read(text: str) -> None:
    assert parse_peer_id(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "16U", "0OIl", fake_peer_id(1)[:-1], fake_peer_id(1) + "1", "1" * 4000, "QmYyQSo1c1"],
)
def test_other_texts_are_no_peer_ids(text: str) -> None:
    with pytest.raises(InvalidPeerIdError) as caught:
        parse_peer_id(text, field="open.peer_id")

    assert (caught.value.reason, caught.value.field) == ("INVALID_PEER_ID", "open.peer_id")


def test_seeded_key_is_the_digest_that_net_2_names() -> None:
    message = b"logos-testnet-identity\0" + bytes([0] * 7 + [42]) + b"node1" + b"\0" + b"\0"

    assert seeded_secret(42, "node1") == hashlib.sha256(message).digest()


@given(seed=st.integers(0, 2**64 - 1), node=st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True))
def test_seeded_keys_are_valid_and_differ_by_node(seed: int, node: str) -> None:
    assert is_valid_secret(seeded_secret(seed, node))
    assert seeded_secret(seed, node) != seeded_secret(seed, node + "x")


def test_a_number_beyond_the_order_is_no_secret() -> None:
    assert not is_valid_secret(b"\xff" * 32)
    assert not is_valid_secret(bytes(32))
    assert not is_valid_secret(b"\x01" * 31)


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/127.0.0.1/tcp/18001",
        "/ip6/::1/tcp/1",
        "/dns4/node-1.mixnet/tcp/65535",
        "/dns/mixnet_1/tcp/0",
        f"/ip4/10.0.0.1/tcp/1/p2p/{fake_peer_id(3)}",
    ],
)
def test_addresses_are_read_and_written_back(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "127.0.0.1:80",
        "/ip4/127.0.0.1",
        "/ip4/127.0.0.1/udp/1/quic-v1",
        "/ip4/256.0.0.1/tcp/1",
        "/ip4/127.0.0.1/tcp/65536",
        "/ip4/127.0.0.1/tcp/-1",
        "/ip6/fe80::1%eth0/tcp/1",
        "/ip4/127.0.0.1/tcp/¹",
        "/ip4/127.0.0.1/tcp/1/",
        "/ip4/127.0.0.1/tcp/1/p2p/",
        "/ip4/127.0.0.1/tcp/1/p2p/abc",
        f"/ip4/127.0.0.1/tcp/1/p2p/{fake_peer_id(1)}/p2p-circuit",
        "/dns4/-x/tcp/1",
        "/dns4/" + "a" * 500 + "/tcp/1",
        "x/ip4/127.0.0.1/tcp/1",
    ],
)
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        parse_address(text)

    assert caught.value.reason == "INVALID_ADDRESS"


@given(st.text(max_size=100))
def test_no_text_breaks_the_address_parser(text: str) -> None:
    try:
        parsed = parse_address(text)
    except InvalidAddressError:
        return
    assert parsed.port >= 0


@given(st.binary(max_size=60))
def test_base58_of_anything_else_is_no_peer_id(raw: bytes) -> None:
    text = base58.encode(raw)
    try:
        parse_peer_id(text)
    except InvalidPeerIdError:
        return
    assert len(raw) in {34, 38, 39}
