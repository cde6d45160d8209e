import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from capability_draws import damaged
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.capability.distance import BUCKETS, ServiceId, bucket_of, service_id_of
from logos_mixnet.core.capability.multiaddr import decode_address, encode_address, ip_of

VECTORS = json.loads(Path("vectors/logos-lips/service-ids.json").read_text(encoding="utf-8"))
PEER = "16Uiu2HAm1y6ts52Jtnv3vMnfQMT4fXtdkigab7S9szufSnSeXVPT"
ADDRESSES = {
    "/ip4/1.2.3.4/tcp/4001": "0401020304060fa1",
    "/ip6/2001:db8::1/tcp/1": "2920010db8000000000000000000000001060001",
    "/dns/node1/tcp/4000": "35056e6f646531060fa0",
    "/dns4/a.example/tcp/4000": "3609612e6578616d706c65060fa0",
    "/dns6/a.example/tcp/4000": "3709612e6578616d706c65060fa0",
}


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_d1_service_ids_agree_with_the_lip(case: dict[str, Any]) -> None:
    assert service_id_of(case["id"]).hex() == case["service_id"]


@given(st.binary(min_size=1, max_size=39), st.binary(min_size=1, max_size=39))
def test_d1_the_bucket_is_the_length_of_the_common_prefix(one: bytes, other: bytes) -> None:
    centre, key = hashlib.sha256(one).digest(), hashlib.sha256(other).digest()
    bits = [f"{int.from_bytes(each, 'big'):0256b}" for each in (centre, key)]
    common = next((at for at in range(256) if bits[0][at] != bits[1][at]), 256)

    assert bucket_of(ServiceId(centre), other) == min(common, BUCKETS - 1)
    assert bucket_of(ServiceId(key), other) == BUCKETS - 1  # distance 0


@pytest.mark.parametrize(("text", "raw"), ADDRESSES.items(), ids=list(ADDRESSES))
def test_addresses_have_one_binary_form(text: str, raw: str) -> None:
    assert encode_address(parse_address(text)).hex() == raw
    assert str(decode_address(bytes.fromhex(raw))) == text


def test_addresses_may_name_the_peer() -> None:
    text = f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER}"

    raw = encode_address(parse_address(text))

    assert raw.hex().startswith("0401020304060fa1a50327002508021221")
    assert str(decode_address(raw)) == text


@given(damaged(encode_address(parse_address(f"/dns4/node/tcp/4001/p2p/{PEER}"))))
def test_what_decodes_is_an_address_that_encodes_again(raw: bytes) -> None:
    address = decode_address(raw)

    if address is not None:
        assert encode_address(address) == raw


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "04",
        "0401020304",
        "0401020304060000",
        "040102030491020fa1",
        "0401020304060fa1cd03",
        "38",
    ],
    ids=["empty", "cut", "no transport", "port 0", "udp", "then quic", "unknown"],
)
def test_addresses_that_cannot_be_dialled_are_none(raw: str) -> None:
    assert decode_address(bytes.fromhex(raw)) is None


def test_the_ip_is_read_whatever_the_transport() -> None:
    assert str(ip_of(bytes.fromhex("040102030491020fa1cd03"))) == "1.2.3.4"
    assert str(ip_of(bytes.fromhex(ADDRESSES["/ip6/2001:db8::1/tcp/1"]))) == "2001:db8::1"
    assert ip_of(bytes.fromhex(ADDRESSES["/dns/node1/tcp/4000"])) is None
    assert ip_of(b"") is None
