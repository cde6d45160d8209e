"""Headers of another mix net, unwrapped with our multiplications: blinding, fillers and MACs.

Katzenpost's Sphinx differs in its KDF, key sizes and routing commands, not in its construction.
Nobody has published packets of LIP-99.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from mix_variants import aes_ctr

from logos_mixnet.core.sphinx.primitives import multiply

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors/katzenpost/sphinx-headers.json").read_text("utf-8")
)
KDF_INFO = b"katzenpost-kdf-v0-hkdf-sha256"
ROUTING, HOP, MAC = 34, 82, 444
"""Where routing information begins, what a hop removes of it, and where the MAC is."""
DELAY_BYTES = 5
NEXT_HOP = 1


def unwrapped(header: bytes, private_key: bytes) -> tuple[bytes, bytes]:
    """Returns the next hop's id and header."""
    alpha = header[2:ROUTING]
    secret = multiply(private_key, alpha)
    keys = HKDFExpand(SHA256(), 160, KDF_INFO).derive(secret)
    mac_key, stream_key, counter, seed = keys[:32], keys[32:64], keys[64:80], keys[128:]
    assert hmac.digest(mac_key, header[:MAC], "sha256") == header[MAC:]
    routing = aes_ctr(stream_key, counter, header[ROUTING:MAC] + bytes(HOP))
    command = routing[DELAY_BYTES:]
    scalar = Cipher(ChaCha20(seed, bytes(16)), None).encryptor().update(bytes(32))
    following = header[:2] + multiply(scalar, alpha) + routing[HOP:] + command[33:65]
    return (command[1:33] if command[0] == NEXT_HOP else b""), following


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_headers_at_every_hop(case: dict[str, Any]) -> None:
    header = bytes.fromhex(case["header"])
    ids = []

    for index, key in enumerate(case["private_keys"]):
        assert header[2:ROUTING].hex() == case["public_values"][index]
        assert hashlib.sha256(header).hexdigest() == case["header_sha256"][index]
        next_id, header = unwrapped(header, bytes.fromhex(key))
        ids.append(next_id.hex())

    assert ids[:-1] == case["next_ids"]
