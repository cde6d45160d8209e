"""DLC-31 to DLC-37: node records, by published ones."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import logos_native
from logos_crypto import rlp
from logos_crypto.node_record import MAX_RECORD_BYTES
from logos_delivery.core.enr import record
from logos_delivery.core.enr.errors import (
    EnrMalformedError,
    EnrSignatureError,
    EnrTooLargeError,
)
from logos_delivery.core.enr.fields import (
    Capability,
    NodeFields,
    addresses,
    is_of_other_cluster,
    read,
)
from logos_delivery.core.enr.identity import RecordKey
from logos_delivery.core.enr.record import Record
from logos_delivery.core.enr.shards import RelayShards

VECTORS = Path(__file__).parents[3] / "vectors"
EIP: list[dict[str, Any]] = json.loads((VECTORS / "eip-778/records.json").read_text("utf-8"))[
    "records"
]
RECORDS: list[dict[str, Any]] = json.loads(
    (VECTORS / "logos-delivery/light.json").read_text("utf-8")
)["records"]
KEY = RecordKey(bytes(range(1, 33)))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ports = st.none() | st.integers(1, 0xFFFF)
fields = st.builds(
    NodeFields,
    ip=st.none() | st.ip_addresses(v=4),
    tcp=ports,
    udp=ports,
    ip6=st.none() | st.ip_addresses(v=6),
    tcp6=ports,
    udp6=ports,
    multiaddrs=st.lists(
        st.sampled_from(["/dns4/a.example/tcp/443/wss", "/ip4/127.0.0.1/udp/9/quic-v1"]),
        unique=True,
    ).map(tuple),
    capabilities=st.none() | st.integers(0, 63).map(Capability),
    shards=st.none()
    | st.builds(
        RelayShards,
        st.integers(0, 0xFFFF),
        st.lists(st.integers(0, 1023), min_size=1, max_size=8, unique=True).map(tuple),
    ),
    mix_key=st.none() | st.binary(min_size=32, max_size=32),
)


def shards_of(case: dict[str, Any]) -> RelayShards | None:
    return RelayShards(case["shards"][0], tuple(case["shards"][1])) if case["shards"] else None


@pytest.mark.vectors
@pytest.mark.parametrize("case", EIP + RECORDS, ids=lambda case: case["id"])
def test_published_records_are_read_and_their_signatures_hold(case: dict[str, Any]) -> None:
    read_record = record.parse(case["text"])
    found = read(read_record)

    assert str(read_record).removeprefix("enr:") == case["text"].removeprefix("enr:")
    assert found.multiaddrs == tuple(case["multiaddrs"])
    assert found.shards == shards_of(case)
    names = case["capabilities"]
    flags = None if names is None else sum(Capability[name] for name in names)
    assert found.capabilities == flags
    if "sequence" in case:
        assert read_record.sequence == case["sequence"]
    if "ip" in case:
        assert str(found.ip) == case["ip"]
        assert (found.tcp, found.udp) == (case.get("tcp"), case.get("udp"))


@pytest.mark.vectors
@pytest.mark.parametrize("case", EIP, ids=lambda case: case["id"])
def test_the_record_of_the_eip_is_made_byte_for_byte(case: dict[str, Any]) -> None:
    said = NodeFields(ip=ipaddress.IPv4Address(case["ip"]), udp=case["udp"])
    made = record.build(RecordKey(bytes.fromhex(case["secret"])), case["sequence"], said.pairs())

    assert str(made) == case["text"]
    assert made.node_id.hex() == case["node_id"]


@settings(max_examples=30)
@given(fields, st.integers(0, 2**64 - 1))
def test_every_record_is_read_as_it_was_made(said: NodeFields, sequence: int) -> None:
    try:
        made = record.build(KEY, sequence, said.pairs())
    except EnrTooLargeError:
        return

    assert len(made.raw) <= MAX_RECORD_BYTES
    assert record.parse(str(made)) == made == record.decode(made.raw)
    assert read(made) == said


def test_what_does_not_fit_300_bytes_is_not_signed() -> None:
    with pytest.raises(EnrTooLargeError):
        record.build(KEY, 1, {b"multiaddrs": bytes(200)})


def test_a_peer_id_follows_from_the_key() -> None:
    assert record.build(KEY, 1, {}).peer_id == logos_native.peer_id_of(bytes(range(1, 33)))


def test_each_changed_bit_is_noticed() -> None:
    made = record.build(KEY, 7, NodeFields(tcp=9).pairs())
    for at in range(len(made.raw)):
        changed = bytearray(made.raw)
        changed[at] ^= 1 << at % 8
        with pytest.raises((EnrMalformedError, EnrSignatureError)):
            record.decode(bytes(changed))


def signed(items: list[rlp.Item], *, high: bool = False) -> bytes:
    signature = KEY.sign(rlp.encode(tuple(items)))
    if high:
        s = ORDER - int.from_bytes(signature[32:], "big")
        signature = signature[:32] + s.to_bytes(32, "big")
    return rlp.encode((signature, *items))


PUBLIC = KEY.public_key


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([b"\1", b"id", b"v5", b"secp256k1", PUBLIC], EnrSignatureError),
        ([b"\1", b"secp256k1", PUBLIC], EnrSignatureError),
        ([b"\1", b"id", b"v4", b"secp256k1", PUBLIC[:32]], EnrSignatureError),
        ([b"\1", b"id", b"v4", b"secp256k1", bytes(33)], EnrSignatureError),
        ([b"\0", b"id", b"v4", b"secp256k1", PUBLIC], EnrMalformedError),
        ([bytes([1] * 9), b"id", b"v4", b"secp256k1", PUBLIC], EnrMalformedError),
        ([(b"\1",), b"id", b"v4", b"secp256k1", PUBLIC], EnrMalformedError),
        ([b"\1", b"secp256k1", PUBLIC, b"id", b"v4"], EnrMalformedError),
        ([b"\1", b"id", b"v4", b"id", b"v4", b"secp256k1", PUBLIC], EnrMalformedError),
        ([b"\1", b"id", b"v4", (b"k",), b"", b"secp256k1", PUBLIC], EnrMalformedError),
        ([b"\1", b"id", b"v4", b"secp256k1"], EnrMalformedError),
        ([b"\1", b"a", bytes(250), b"id", b"v4", b"secp256k1", PUBLIC], EnrMalformedError),
    ],
)
def test_a_signed_record_of_another_form_is_refused(
    items: list[rlp.Item], error: type[Exception]
) -> None:
    with pytest.raises(error):
        record.decode(signed(items))


def test_the_other_form_of_a_signature_is_refused() -> None:
    items: list[rlp.Item] = [b"\1", b"id", b"v4", b"secp256k1", PUBLIC]
    assert record.decode(signed(items)).sequence == 1
    with pytest.raises(EnrSignatureError):
        record.decode(signed(items, high=True))


def test_values_that_are_lists_are_kept_and_not_read() -> None:
    items: list[rlp.Item] = [b"\1", b"id", b"v4", b"secp256k1", PUBLIC, b"tcp", (b"\1",)]
    kept = record.decode(signed(items))
    assert kept.value(b"tcp") is None
    assert read(kept).tcp is None


@pytest.mark.parametrize(
    "pairs",
    [
        {b"ip": b"\1\2\3", b"ip6": bytes(15)},
        {b"tcp": b"\0\1", b"udp": bytes([1, 2, 3])},
        {b"waku2": b"", b"mix-key": bytes(31)},
        {b"multiaddrs": b"\0\0", b"rs": b"\0\1\2\0\1", b"rsv": bytes(129)},
        {b"rs": bytes([0, 1, 1, 4, 0])},  # shard 1,024
        {b"rs": bytes([0, 1, 0])},
        {b"multiaddrs": bytes([0, 9, 4, 127, 0, 0, 1])},
    ],
)
def test_a_field_that_cannot_be_read_counts_as_absent(pairs: dict[bytes, rlp.Item]) -> None:
    assert read(record.build(KEY, 1, pairs)) == NodeFields()


def test_of_two_fields_of_shards_the_list_counts() -> None:
    pairs: dict[bytes, rlp.Item] = {
        b"rs": bytes([0, 22, 1, 0, 5]),
        b"rsv": bytes([0, 33]) + bytes(128),
    }
    found = read(record.build(KEY, 1, pairs))

    assert found.shards == RelayShards(22, (5,))
    assert is_of_other_cluster(found, 33)
    assert not is_of_other_cluster(found, 22)
    assert not is_of_other_cluster(NodeFields(), 22)


def test_bits_without_a_meaning_do_not_count() -> None:
    found = read(record.build(KEY, 1, {b"waku2": b"\xff"}))
    assert found.capabilities == Capability(63)


def test_an_address_of_an_unknown_protocol_is_left_out() -> None:
    unknown = bytes([0, 3, 0xC0, 0x7F, 1])
    known = bytes([0, 8, 4, 127, 0, 0, 1, 6, 0, 80])
    found = read(record.build(KEY, 1, {b"multiaddrs": unknown + known}))
    assert found.multiaddrs == ("/ip4/127.0.0.1/tcp/80",)


def test_peer_ids_are_stripped_and_addresses_are_there_once() -> None:
    peer = record.build(KEY, 1, {}).peer_id
    said = NodeFields(
        ip=ipaddress.IPv4Address("10.0.0.1"),
        tcp=60000,
        ip6=ipaddress.IPv6Address("fe80::1"),
        multiaddrs=(
            f"/ip4/127.0.0.1/tcp/80/ws/p2p/{peer}",
            "/ip4/127.0.0.1/tcp/80/ws",
            "/ip4/127.0.0.1/tcp/443/wss",
        ),
    )
    found = read(record.build(KEY, 1, said.pairs()))

    assert found.multiaddrs == ("/ip4/127.0.0.1/tcp/80/ws", "/ip4/127.0.0.1/tcp/443/wss")
    assert addresses(found) == (
        "/ip4/10.0.0.1/tcp/60000",
        "/ip6/fe80::1/tcp/60000",
        *found.multiaddrs,
    )


@pytest.mark.parametrize(
    "text",
    ["", "enr:", "enr:!", "enr:invalid", "enr:" + "A" * 500, EIP[0]["text"] + "==", "enr:-IR5"],
)
def test_texts_that_are_no_record_are_refused(text: str) -> None:
    with pytest.raises(EnrMalformedError):
        record.parse(text)


def test_the_prefix_is_read_in_any_case() -> None:
    assert record.parse("ENR:" + EIP[0]["text"][4:]) == record.parse(EIP[0]["text"])


def test_a_text_with_bits_after_its_end_is_refused() -> None:
    text = EIP[0]["text"]
    assert len(text[4:]) % 4, "the last character has bits to spare"
    with pytest.raises(EnrMalformedError):
        record.parse(text[:-1] + chr(ord(text[-1]) + 1))


@given(st.binary(max_size=320))
@example(b"\xf8")
@example(b"\xc0")
def test_arbitrary_bytes_are_refused_with_the_fault_of_their_sender(raw: bytes) -> None:
    with pytest.raises((EnrMalformedError, EnrSignatureError)):
        record.decode(raw)


@given(st.text(max_size=60))
def test_arbitrary_texts_are_refused(text: str) -> None:
    with pytest.raises((EnrMalformedError, EnrSignatureError)):
        record.parse(text)


def test_records_can_be_kept_in_sets() -> None:
    made: Record = record.build(KEY, 1, {})
    assert len({made, record.decode(made.raw)}) == 1


def test_secrets_are_scalars_of_the_curve() -> None:
    for secret in (bytes(32), ORDER.to_bytes(32, "big"), bytes(31)):
        with pytest.raises(ValueError, match="secp256k1"):
            RecordKey(secret)
    with pytest.raises(ValueError, match="64 bits"):
        record.build(KEY, 2**64, {})
