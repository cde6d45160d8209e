"""DSN-20: protected shards, with the keys of the reference's test."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.message import Message
from logos_delivery.core.relay.errors import ShardSignatureError
from logos_delivery.core.relay.signed import (
    MAX_SIGNED_GAP_MS,
    SIGNATURE_BYTES,
    ShardKey,
    signed_hash,
)

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
[CASE] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/relay.json").read_text("utf-8")
)["protected_shards"]
SHARD = CASE["pubsub_topic"]
T = 1_800_000_000_000


def secret_of(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int(CASE[name], 16), ec.SECP256K1())


def public_bytes(secret: ec.EllipticCurvePrivateKey) -> bytes:
    return secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


SECRET = secret_of("secret_key")
KEY = ShardKey(public_bytes(SECRET))


def signed(message: Message, secret: ec.EllipticCurvePrivateKey = SECRET, **how: Any) -> Message:
    digest = signed_hash(how.get("topic", SHARD), message)
    r, s = decode_dss_signature(secret.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    low = min(s, ORDER - s)
    s = ORDER - low if how.get("high") else low
    return replace(message, meta=r.to_bytes(32, "big") + s.to_bytes(32, "big"))


MESSAGE = Message(b"payload", "/app/1/name/proto", 2, T * 1_000_000, is_ephemeral=True)


@pytest.mark.vectors
def test_a_message_that_is_signed_by_the_shards_key_is_accepted() -> None:
    KEY.check(SHARD, signed(MESSAGE), T)


@pytest.mark.vectors
@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        signed(MESSAGE, secret_of("wrong_secret_key")),
        signed(replace(MESSAGE, timestamp_ns=0)),
        signed(MESSAGE, topic="/waku/2/rs/0/6"),
        signed(MESSAGE, high=True),
        replace(signed(MESSAGE), payload=b"other"),
        replace(signed(MESSAGE), content_topic="/app/1/name/prot0"),
        replace(signed(MESSAGE), timestamp_ns=T * 1_000_000 + 1),
        replace(signed(MESSAGE), is_ephemeral=False),
        replace(signed(MESSAGE), meta=signed(MESSAGE).meta[:-1]),
        replace(signed(MESSAGE), meta=bytes(SIGNATURE_BYTES)),
    ],
)
def test_other_messages_are_not(message: Message) -> None:
    with pytest.raises(ShardSignatureError, match="signed shard validation failed"):
        KEY.check(SHARD, message, T)


@pytest.mark.parametrize("gap_ms", [MAX_SIGNED_GAP_MS, -MAX_SIGNED_GAP_MS])
def test_it_is_less_than_five_minutes_away(gap_ms: int) -> None:
    message = signed(MESSAGE)
    with pytest.raises(ShardSignatureError):
        KEY.check(SHARD, message, T + gap_ms)
    KEY.check(SHARD, message, T + gap_ms - (1 if gap_ms > 0 else -1))


@given(st.binary(max_size=64))
def test_any_bytes_are_no_signature(meta: bytes) -> None:
    with pytest.raises(ShardSignatureError):
        KEY.check(SHARD, replace(MESSAGE, meta=meta), T)


def test_what_is_no_key() -> None:
    with pytest.raises(ValueError, match="point"):
        ShardKey(bytes(33))
