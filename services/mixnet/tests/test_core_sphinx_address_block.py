"""Address blocks (MIX-9)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import base58
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.sphinx.address_block import MixAddress, Transport
from logos_mixnet.core.sphinx.errors import AddressBlockError, AddressUnsuitableError
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HERE

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors/nim-libp2p-mix/addresses.json").read_text("utf-8")
)
RELAY = "16Uiu2HAmDHw4mwBdEjxjJPhrt8Eq1kvDjXAuwkqCmhNiz363AFV2"
PEER = "16Uiu2HAmFkwLVsVh6gGPmSm9R3X4scJ5thVdKfWYeJsKeVrbcgVC"
ED25519 = base58.encode(bytes.fromhex("002408011220") + bytes(32))
PEERS = st.sampled_from([PEER, RELAY])


def read(text: str) -> MixAddress:
    """Reads the forms of the vectors, by their parts."""
    parts = text.split("/")[1:]
    transport = Transport.QUIC_V1 if "quic-v1" in parts else Transport.TCP
    relay = parts[parts.index("p2p") + 1] if "p2p-circuit" in parts else None
    return MixAddress(parts[1], int(parts[3]), PEER, transport, relay)


@pytest.mark.vectors
@pytest.mark.parametrize("text", VECTORS["converted"])
def test_published_addresses_convert_and_come_back(text: str) -> None:
    address = read(text)

    block = address.encode()

    assert len(block) == ADDRESS_BYTES
    assert MixAddress.decode(block) == address
    assert str(address) == f"{text}/p2p/{PEER}"


@pytest.mark.vectors
def test_a_relay_without_a_secp256k1_key_is_refused() -> None:
    with pytest.raises(AddressUnsuitableError):
        MixAddress("10.0.0.1", 1, PEER, relay=VECTORS["refused_relay"]).encode()


def test_bit_for_bit() -> None:
    direct = MixAddress("10.1.2.3", 0x1234, PEER)
    relayed = MixAddress("255.0.0.1", 65535, PEER, Transport.QUIC_V1, RELAY)
    peer, relay = base58.decode(PEER), base58.decode(RELAY)

    assert direct.encode() == bytes.fromhex("0a010203001234") + peer + bytes(48)
    assert relayed.encode() == bytes.fromhex("ff00000101ffff") + relay + peer + bytes(9)


@given(
    host=st.ip_addresses(v=4),
    port=st.integers(1, 65535),
    transport=st.sampled_from(Transport),
    peer=PEERS,
    relay=st.none() | PEERS,
)
def test_every_address_comes_back(
    host: object, port: int, transport: Transport, peer: str, relay: str | None
) -> None:
    address = MixAddress(str(host), port, peer, transport, relay)

    assert MixAddress.decode(address.encode()) == address


@given(block=st.binary(max_size=ADDRESS_BYTES) | st.binary(min_size=94, max_size=94))
def test_arbitrary_bytes_are_refused(block: bytes) -> None:
    with pytest.raises(AddressBlockError):
        MixAddress.decode(block)


@given(at=st.integers(0, ADDRESS_BYTES - 1), value=st.integers(0, 255))
def test_an_altered_block_is_refused_or_another_address(at: int, value: int) -> None:
    block = bytearray(MixAddress("10.1.2.3", 7, PEER).encode())
    block[at] = value
    try:
        address = MixAddress.decode(bytes(block))
    except AddressBlockError:
        return
    assert address.encode() == bytes(block)


def test_zeros_are_no_address() -> None:
    with pytest.raises(AddressBlockError):
        MixAddress.decode(HERE)


@pytest.mark.parametrize(
    "address",
    [
        MixAddress("::1", 1, PEER),
        MixAddress("node1", 1, PEER),
        MixAddress("10.0.0.1", 0, PEER),
        MixAddress("10.0.0.1", 65536, PEER),
        MixAddress("10.0.0.1", 1, ED25519),
        MixAddress("10.0.0.1", 1, "0OIl"),
        MixAddress("10.0.0.1", 1, PEER, relay=ED25519),
    ],
    ids=["IPv6", "name", "port 0", "port", "Ed25519", "no id", "Ed25519 relay"],
)
def test_other_addresses_are_refused(address: MixAddress) -> None:
    with pytest.raises(AddressUnsuitableError):
        address.encode()


def test_addresses_of_nodes() -> None:
    address = MixAddress.of(parse_address(f"/ip4/10.0.0.7/tcp/4001/p2p/{PEER}"))

    assert address == MixAddress("10.0.0.7", 4001, PEER)
    for text in (f"/dns4/node1/tcp/4001/p2p/{PEER}", "/ip4/10.0.0.7/tcp/4001"):
        with pytest.raises(AddressUnsuitableError):
            MixAddress.of(parse_address(text))
