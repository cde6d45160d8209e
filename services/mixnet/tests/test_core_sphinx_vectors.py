"""Published values, and those of our own packets (MIX-2, MIX-4, MIX-5, MIX-9, MIX-11).

mixnet.md 11, P2.
"""

import hashlib
import json
from pathlib import Path as FilePath
from typing import Any

import mix_oracle as oracle
import pytest
from mix_variants import chacha_lioness, lioness

from logos_crypto.sphinx import lioness_decrypt, lioness_encrypt
from logos_mixnet.core.sphinx.geometry import (
    ADDRESS_BYTES,
    ALPHA_BYTES,
    GAMMA_BYTES,
    HEADER_BYTES,
    HERE,
    KAPPA,
    MESSAGE_BYTES,
    PAYLOAD_BYTES,
)
from logos_mixnet.core.sphinx.header import Hop, Path, create_header
from logos_mixnet.core.sphinx.packet import Exit, Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.primitives import derive, public_key

VECTORS = FilePath(__file__).parents[3] / "vectors"


def vectors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return loaded


LIONESS = vectors("nim-libp2p-mix/lioness.json")
HEADER = vectors("nim-libp2p-mix/header-crypto.json")
OURS = vectors("logos-mix/packets.json")
PACKETS = OURS["packets"]
EPHEMERAL = bytes.fromhex(PACKETS["ephemeral"])
X25519_STEPS = [  # RFC 7748 §5.2
    (
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    (
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def keys_of(case: dict[str, Any]) -> list[bytes]:
    return [bytes([i + 1]) * 32 for i in range(case["hops"])]


def path_of(case: dict[str, Any]) -> Path:
    hops = [Hop(public_key(k), bytes([0xA0 + i]) * 94) for i, k in enumerate(keys_of(case))]
    return Path(hops, PACKETS["mean_delays_ms"][: case["hops"] - 1])


@pytest.mark.vectors
@pytest.mark.parametrize(("scalar", "point", "product"), X25519_STEPS)
def test_the_decoder_of_the_tests_multiplies_as_published(
    scalar: str, point: str, product: str
) -> None:
    assert oracle.x25519(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == product


@pytest.mark.vectors
@pytest.mark.parametrize("case", LIONESS["blocks"], ids=lambda case: case["id"])
def test_lioness_with_other_primitives(case: dict[str, str]) -> None:
    cipher = chacha_lioness(bytes.fromhex(case["master"]), bytes.fromhex(LIONESS["nonce"]))

    assert cipher.encrypt(bytes.fromhex(case["plain"])).hex() == case["encrypted"]
    assert cipher.decrypt(bytes.fromhex(case["encrypted"])).hex() == case["plain"]


@pytest.mark.vectors
def test_primitives_of_that_lioness() -> None:
    cipher = chacha_lioness(
        bytes.fromhex(LIONESS["round_keys"]["master"]), bytes.fromhex(LIONESS["nonce"])
    )

    assert b"".join(cipher.round_keys).hex() == LIONESS["round_keys"]["shake128"]
    for case in LIONESS["keyed_hash"]:
        digest = cipher.keyed_hash(bytes.fromhex(case["key"]), bytes.fromhex(case["message"]))
        assert digest.hex() == case["digest"]
    for case in LIONESS["stream"]:
        assert cipher.stream(bytes.fromhex(case["key"]), bytes(128)).hex() == case["keystream"]


@pytest.mark.vectors
def test_header_crypto() -> None:
    """Keys and MACs are cut to 16 bytes (MIX-2)."""
    for case in HEADER["kdf"]:
        assert derive(b"", case["seed"].encode())[:16].hex() == case["key"]
        assert oracle.kdf("", case["seed"].encode())[:16].hex() == case["key"]
    for case in HEADER["hmac"]:
        mac = oracle.hmac_sha256(case["key"].encode(), case["data"].encode())[:16]
        assert mac.hex() == case["mac"]


@pytest.mark.vectors
def test_lioness_of_lip_183() -> None:
    for case in OURS["lioness"]:
        seed, plain = bytes.fromhex(case["seed"]), bytes.fromhex(case["plain"])
        assert lioness_encrypt(seed, plain).hex() == case["encrypted"]
        assert lioness_decrypt(seed, bytes.fromhex(case["encrypted"])) == plain
        assert lioness(seed).encrypt(plain).hex() == case["encrypted"]
        assert oracle.lioness_encrypt(seed, plain).hex() == case["encrypted"]

    seed = bytes.fromhex(OURS["lioness_payload"]["seed"])
    plain = bytes(i % 256 for i in range(PAYLOAD_BYTES))
    assert sha256(lioness_encrypt(seed, plain)) == OURS["lioness_payload"]["sha256"]
    assert sha256(lioness(seed).encrypt(plain)) == OURS["lioness_payload"]["sha256"]
    assert sha256(oracle.lioness_encrypt(seed, plain)) == OURS["lioness_payload"]["sha256"]


@pytest.mark.vectors
@pytest.mark.parametrize("case", PACKETS["cases"], ids=lambda case: f"{case['hops']} hops")
def test_packets_at_every_hop(case: dict[str, Any]) -> None:
    message = bytes(i % 251 for i in range(MESSAGE_BYTES))
    destination = b"\xdd" * ADDRESS_BYTES

    packet = create_packet(path_of(case), destination, message, lambda _: EPHEMERAL)

    assert packet[:ALPHA_BYTES].hex() == case["alpha"]
    assert packet[HEADER_BYTES - GAMMA_BYTES : HEADER_BYTES].hex() == case["gamma"]
    for key, expected in zip(keys_of(case), case["at"], strict=True):
        assert sha256(packet) == expected["packet_sha256"]
        received = receive(packet, key)
        assert received.secret.hex() == expected["secret"]
        theirs = oracle.peel(packet, key)
        step = unwrap(received)
        assert theirs.packet == (step.packet if isinstance(step, Relay) else None)
        if isinstance(step, Relay):
            packet = step.packet
    assert step == Exit(destination, message)
    assert (theirs.address, theirs.payload) == (destination, bytes(KAPPA) + message)


@pytest.mark.vectors
@pytest.mark.parametrize("case", PACKETS["cases"], ids=lambda case: f"{case['hops']} hops")
def test_header_of_a_reply_block(case: dict[str, Any]) -> None:
    header = create_header(path_of(case), HERE, bytes.fromhex(PACKETS["surb_id"]), EPHEMERAL)

    assert header.raw[HEADER_BYTES - GAMMA_BYTES :].hex() == case["surb_gamma"]
