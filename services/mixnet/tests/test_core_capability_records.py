import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from capability_draws import (
    ADDRESS,
    SERVICE,
    addresses,
    advertisement,
    damaged,
    sequences,
    services,
    signer,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st
from py_ecc.secp256k1 import ecdsa_raw_recover

import logos_native
from logos_base.errors import RemoteFaultError
from logos_crypto import base58
from logos_crypto.protobuf import MAX_FIELDS, bytes_field, number_field
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.envelope import Envelope, open_envelope, seal
from logos_mixnet.core.capability.errors import (
    EnvelopeSignatureError,
    EnvelopeTypeError,
    KeyMalformedError,
    MessageMalformedError,
    RecordMalformedError,
    RecordSignerError,
    RecordSizeError,
    RecordTooLargeError,
    ServiceNotAdvertisedError,
)
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.capability.keys import (
    PublicKey,
    Secp256k1Signer,
    public_key_of,
    signer_of,
)
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.records import (
    DOMAIN,
    MAX_RECORD_BYTES,
    PAYLOAD_TYPE,
    PeerRecord,
    ServiceInfo,
    decode_record,
    open_advertisement,
    open_record,
    sign_record,
)

VECTORS = json.loads(Path("vectors/go-libp2p/records.json").read_text(encoding="utf-8"))
MIX = service_id_of(SERVICE)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["envelopes"], ids=lambda case: case["id"])
def test_d1_envelopes_agree_with_go_libp2p(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["envelope"])
    if case["reason"] is not None:
        with pytest.raises(EnvelopeSignatureError) as raised:
            open_envelope(raw, case["domain"])
        assert raised.value.reason == case["reason"]
        return

    envelope = open_envelope(raw, case["domain"])

    assert envelope.payload_type.decode() == case["payload_type"]
    assert envelope.payload.decode() == case["payload"]
    assert envelope.encode() == raw


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["records"], ids=lambda case: case["id"])
def test_records_agree_with_go_libp2p(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["record"])

    record = decode_record(raw)

    assert base58.encode(record.peer_id) == case["peer_id"]
    assert record.seq == case["seq"]
    assert list(record.addresses) == [
        encode_address(parse_address(each)) for each in case["addresses"]
    ]
    assert record.encode() == raw


def test_envelope_of_another_domain_is_refused() -> None:
    raw = seal(signer(1), "one-purpose", b"type", b"payload").encode()

    with pytest.raises(EnvelopeSignatureError):
        open_envelope(raw, "another-purpose")


def test_peer_id_is_that_of_the_native_core() -> None:
    secret = bytes(31) + b"\x07"

    peer_id = Secp256k1Signer(secret).public_key.peer_id

    assert base58.encode(peer_id) == logos_native.peer_id_of(secret)
    assert public_key_of(peer_id) == Secp256k1Signer(secret).public_key


@given(st.binary(max_size=100), st.integers(0, 9))
def test_d1_signatures_recover_the_key_by_another_library(message: bytes, number: int) -> None:
    identity = signer(number)
    r, s = decode_dss_signature(identity.sign(message))
    digest = hashlib.sha256(message).digest()

    recovered = [ecdsa_raw_recover(digest, (v, r, s)) for v in (27, 28)]

    points = [bytes([2 + y % 2]) + x.to_bytes(32, "big") for x, y in recovered]
    assert identity.public_key.encoded[4:] in points


def test_the_other_form_of_a_signature_is_refused() -> None:
    identity = signer(1)
    r, s = decode_dss_signature(identity.sign(b"message"))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

    assert identity.public_key.has_signed(b"message", encode_dss_signature(r, s))
    assert not identity.public_key.has_signed(b"message", encode_dss_signature(r, order - s))


@pytest.mark.parametrize(
    "peer_id",
    [b"", b"\0", b"\0\1", bytes.fromhex("1220") + bytes(32), b"\0\x25" + bytes(37), b"\0" * 39],
)
def test_peer_ids_without_a_key_are_refused(peer_id: bytes) -> None:
    with pytest.raises(KeyMalformedError):
        public_key_of(peer_id)


@given(sequences, addresses, st.lists(services, max_size=5))
def test_records_come_back_as_they_were_signed(
    seq: int, places: list[bytes], offered: list[ServiceInfo]
) -> None:
    signed = sign_record(signer(1), seq, places, offered)

    opened = open_record(signed.encoded)

    assert opened == signed
    assert opened.record == PeerRecord(
        signer(1).public_key.peer_id, seq, tuple(places), tuple(offered)
    )


@given(damaged(advertisement(1).encoded))
def test_d1_a_tampered_advertisement_never_opens(raw: bytes) -> None:
    if is_the_same_envelope(raw, advertisement(1).encoded):
        return
    with pytest.raises(RemoteFaultError):
        open_advertisement(raw, MIX)


def is_the_same_envelope(raw: bytes, whole: bytes) -> bool:
    """An unknown field may be added to an envelope: its signature does not cover it."""
    try:
        one, other = Fields(raw), Fields(whole)
        return all(one.repeated(at)[-1:] == other.repeated(at) for at in (1, 2, 3, 5))
    except MessageMalformedError:
        return False


def test_d1_the_service_must_be_named() -> None:
    raw = advertisement(1).encoded

    assert open_advertisement(raw, MIX).record.services[0].id == SERVICE
    with pytest.raises(ServiceNotAdvertisedError):
        open_advertisement(raw, service_id_of("/mix/1.0.1"))


def test_d1_oversize_is_refused_on_both_sides() -> None:
    with pytest.raises(RecordTooLargeError):
        sign_record(signer(1), 1, [], [ServiceInfo(SERVICE, bytes(34))])
    with pytest.raises(RecordTooLargeError):
        sign_record(signer(1), 1, [ADDRESS] * 90, [])
    with pytest.raises(RecordSizeError):
        open_record(bytes(MAX_RECORD_BYTES + 1))
    with pytest.raises(RecordSizeError):
        open_record(_sealed(1, [ServiceInfo(SERVICE, bytes(34))]))


def test_records_up_to_the_limit_open() -> None:
    def sizes() -> Iterator[int]:
        for length in range(820, 900):
            signed = sign_record(signer(1), 1, [b"a" * length], [])
            assert open_record(signed.encoded) == signed
            seen.append(len(signed.encoded))
            yield seen[-1]

    seen: list[int] = []
    with pytest.raises(RecordTooLargeError):
        list(sizes())

    assert max(seen) > MAX_RECORD_BYTES - 3  # signatures differ by two bytes


def test_a_record_about_another_peer_is_refused() -> None:
    record = PeerRecord(signer(2).public_key.peer_id, 1, (), (ServiceInfo(SERVICE),))
    raw = seal(signer(1), DOMAIN, PAYLOAD_TYPE, record.encode()).encode()

    with pytest.raises(RecordSignerError):
        open_record(raw)


def test_an_envelope_of_another_payload_is_refused() -> None:
    raw = seal(signer(1), DOMAIN, b"\x03\x02", advertisement(1).record.encode()).encode()

    with pytest.raises(EnvelopeTypeError):
        open_record(raw)


@pytest.mark.parametrize(
    "payload",
    [
        number_field(2, 1),
        bytes_field(1, b"peer") + bytes_field(3, b""),
        bytes_field(1, b"peer") + bytes_field(4, bytes_field(2, b"data")),
    ],
    ids=["no peer id", "empty address", "service without id"],
)
def test_records_without_content_are_refused(payload: bytes) -> None:
    with pytest.raises(RecordMalformedError):
        decode_record(payload)


def test_data_may_be_absent_or_empty() -> None:
    offered = [ServiceInfo("/a"), ServiceInfo("/b", b"")]

    assert open_record(_sealed(1, offered)).record.services == tuple(offered)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x80",
        b"\x00\x00",
        b"\x0a\x05ab",
        b"\x0b",
        b"\x09\x00",
        b"\x08" + b"\xff" * 10,
        b"\x08\x01" * (MAX_FIELDS + 1),
    ],
    ids=["tag", "number", "length", "group", "fixed", "varint", "count"],
)
def test_malformed_messages_are_refused(raw: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        Fields(raw)


def test_fields_of_another_type_are_refused() -> None:
    fields = Fields(number_field(1, 5) + bytes_field(2, b"\xff"))

    for read in (lambda: fields.raw(1), lambda: fields.number(2), lambda: fields.text(2)):
        with pytest.raises(MessageMalformedError):
            read()
    assert fields.number(1) == 5


def test_an_ed25519_key_of_no_point_has_signed_nothing() -> None:
    key = PublicKey(bytes.fromhex("08011220") + b"\xff" * 32)

    assert not key.has_signed(b"", bytes(64))
    assert not Envelope(key, b"", b"", b"").public_key.has_signed(b"", b"")


def _sealed(number: int, offered: Sequence[ServiceInfo]) -> bytes:
    record = PeerRecord(signer(number).public_key.peer_id, 1, (), tuple(offered))
    return seal(signer(number), DOMAIN, PAYLOAD_TYPE, record.encode()).encode()


@pytest.mark.parametrize("key_type", ["secp256k1", "ed25519"])
def test_identities_of_both_types_sign_records(key_type: Literal["secp256k1", "ed25519"]) -> None:
    secret = bytes(range(1, 33))
    signer = signer_of(key_type, secret)

    signed = sign_record(signer, 1, [ADDRESS], [ServiceInfo(SERVICE)])

    assert open_record(signed.encoded).record.peer_id == signer.public_key.peer_id
    assert base58.encode(signed.record.peer_id) == logos_native.peer_id_of(secret, key_type)
