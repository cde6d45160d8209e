"""NET-25: what is signed of a node record, and what is not."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logos_base.errors import LogosError
from logos_crypto import node_record, rlp
from logos_mixnet.core.capability.keys import Ed25519Signer, Secp256k1Signer
from logos_mixnet.core.errors import (
    NodeKeyTypeError,
    NodeRecordKeyError,
    NodeRecordMalformedError,
    NodeRecordSchemeError,
    NodeRecordTooLargeError,
)
from logos_mixnet.core.node_record import check_content, sign_node_record

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors/eip-778/records.json").read_text("utf-8")
)["records"]
SIGNER = Secp256k1Signer(bytes(range(1, 33)))
OTHER = Secp256k1Signer(bytes(range(2, 34)))


def key_of(signer: Secp256k1Signer) -> bytes:
    return signer.public_key.encoded[4:]


KEY = key_of(SIGNER)
PAIRS: dict[bytes, rlp.Item] = {b"id": b"v4", b"secp256k1": KEY, b"tcp": b"\1\2"}
GOOD = node_record.content(7, PAIRS)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["id"])
def test_the_record_of_the_eip_has_its_signature(case: dict[str, Any]) -> None:
    signer = Secp256k1Signer(bytes.fromhex(case["secret"]))
    pairs: dict[bytes, rlp.Item] = {
        b"id": b"v4",
        b"ip": bytes(map(int, case["ip"].split("."))),
        b"secp256k1": key_of(signer),
        b"udp": rlp.number(case["udp"]),
    }
    content = node_record.content(case["sequence"], pairs)

    signature = sign_node_record(signer, content)

    text = base64.urlsafe_b64encode(node_record.joined(signature, content)).rstrip(b"=").decode()
    assert f"enr:{text}" == case["text"]


def test_the_same_content_has_the_same_signature_with_the_lower_s() -> None:
    signature = sign_node_record(SIGNER, GOOD)

    assert signature == sign_node_record(SIGNER, GOOD)
    assert len(signature) == 64
    assert signature[32] < 0x80
    assert sign_node_record(SIGNER, node_record.content(8, PAIRS)) != signature


def changed(**pairs: Any) -> bytes:
    named = {name.encode(): value for name, value in pairs.items()}
    kept = {name: value for name, value in {**PAIRS, **named}.items() if value is not None}
    return node_record.content(1, kept)


def encoded(*items: rlp.Item) -> bytes:
    return rlp.encode(items)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (changed(secp256k1=key_of(OTHER)), NodeRecordKeyError),
        (changed(secp256k1=None), NodeRecordKeyError),
        (changed(secp256k1=(KEY,)), NodeRecordKeyError),
        (changed(secp256k1=KEY[:32]), NodeRecordKeyError),
        (changed(id=b"v5"), NodeRecordSchemeError),
        (changed(id=None), NodeRecordSchemeError),
        (changed(id=(b"v4",)), NodeRecordSchemeError),
        (changed(a=bytes(200)), NodeRecordTooLargeError),
        (bytes(301), NodeRecordTooLargeError),
        (b"", NodeRecordMalformedError),
        (b"\x80", NodeRecordMalformedError),
        (encoded(), NodeRecordMalformedError),
        (GOOD + b"\0", NodeRecordMalformedError),
        (GOOD[:-1], NodeRecordMalformedError),
        (b"\xf9\0" + GOOD[1:], NodeRecordMalformedError),  # the length of the list in two bytes
        (encoded(b"\0\1", b"id", b"v4", b"secp256k1", KEY), NodeRecordMalformedError),
        (encoded(b"\0", b"id", b"v4", b"secp256k1", KEY), NodeRecordMalformedError),
        (encoded(bytes([1] * 9), b"id", b"v4", b"secp256k1", KEY), NodeRecordMalformedError),
        (encoded((), b"id", b"v4", b"secp256k1", KEY), NodeRecordMalformedError),
        (encoded(b"\1", b"secp256k1", KEY, b"id", b"v4"), NodeRecordMalformedError),
        (encoded(b"\1", b"id", b"v4", b"id", b"v4", b"secp256k1", KEY), NodeRecordMalformedError),
        (encoded(b"\1", b"id", b"v4", b"secp256k1"), NodeRecordMalformedError),
        (encoded(b"\1", b"id", b"v4", (b"k",), b"", b"secp256k1", KEY), NodeRecordMalformedError),
        # A whole record, with a signature in its first place, is no content.
        (encoded(bytes(64), b"\1", b"id", b"v4", b"secp256k1", KEY), NodeRecordMalformedError),
    ],
)
def test_nothing_else_is_signed(content: bytes, error: type[LogosError]) -> None:
    with pytest.raises(error):
        sign_node_record(SIGNER, content)


def test_a_record_of_300_bytes_is_signed_and_one_of_301_is_not() -> None:
    fitting = [n for n in range(200) if node_record.size_of(changed(a=bytes(n))) == 300]
    [size] = fitting
    largest = changed(a=bytes(size))

    assert len(node_record.joined(sign_node_record(SIGNER, largest), largest)) == 300
    with pytest.raises(NodeRecordTooLargeError):
        sign_node_record(SIGNER, changed(a=bytes(size + 1)))


def test_another_type_of_key_signs_none() -> None:
    with pytest.raises(NodeKeyTypeError):
        sign_node_record(Ed25519Signer(bytes(range(32))), GOOD)


@given(st.binary(max_size=320))
@example(b"\xf8")
@example(b"\xc0")
def test_arbitrary_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(LogosError):
        check_content(content, KEY)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_damaged_content_is_refused_or_still_a_record_of_this_node(at: int, change: int) -> None:
    damaged = bytearray(GOOD)
    damaged[at] ^= change
    try:
        check_content(bytes(damaged), KEY)
    except LogosError:
        return
    items = rlp.decode(bytes(damaged))
    assert not isinstance(items, bytes)
    _, pairs = node_record.read_content(items)
    assert pairs[b"secp256k1"] == KEY
    assert rlp.encode(items) == bytes(damaged)
