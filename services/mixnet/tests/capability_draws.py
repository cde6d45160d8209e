"""Identities and Hypothesis strategies for the tests of capability discovery."""

import hashlib

from hypothesis import strategies as st

from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.capability.records import ServiceInfo, SignedRecord, sign_record

SERVICE = "/mix/1.0.0"
ADDRESS = bytes.fromhex("040a00000106fde8")


def signer(number: int) -> Secp256k1Signer:
    return Secp256k1Signer(hashlib.sha256(b"identity%d" % number).digest())


def advertisement(number: int, *, seq: int = 1, service: str = SERVICE) -> SignedRecord:
    return sign_record(signer(number), seq, [ADDRESS], [ServiceInfo(service, bytes(32))])


services = st.builds(
    ServiceInfo, st.text("/abc1.", min_size=1, max_size=20), st.none() | st.binary(max_size=33)
)
addresses = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
sequences = st.integers(0, 2**64 - 1)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes that differ from the whole in one place, its end, or all over."""
    how = draw(st.integers(0, 3))
    at = draw(st.integers(0, len(whole) - 1))
    if how == 0:
        return whole[:at]
    if how == 1:
        return whole[:at] + bytes([whole[at] ^ draw(st.integers(1, 255))]) + whole[at + 1 :]
    if how == 2:
        return whole[:at] + draw(st.binary(min_size=1, max_size=12)) + whole[at:]
    return draw(st.binary(max_size=200))
