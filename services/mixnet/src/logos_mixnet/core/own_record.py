"""The record that a node signs of itself, for peer exchange.

Spec: docs/protocol/network.md, NET-20; docs/protocol/discovery.md, DIS-3 to DIS-5.
"""

from collections.abc import Iterable
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.capability.keys import PublicKey, Secp256k1Signer, Signer
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.records import SignedRecord, sign_record

MAX_OWN_ADDRESSES: Final = 8
RENEW_MS: Final = 3_600_000

_ED25519: Final = bytes.fromhex("08011220")  # Protocol Buffers: key type, length of the key


class Ed25519Signer:
    """Signs with a node's secret key where its profile asks for that type."""

    def __init__(self, secret: bytes) -> None:
        """Takes 32 bytes."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self._public_key = PublicKey(_ED25519 + self._key.public_key().public_bytes_raw())

    @property
    def public_key(self) -> PublicKey:
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Returns 64 bytes."""
        return self._key.sign(message)


def signer_of(secret: bytes, key_type: Literal["secp256k1", "ed25519"]) -> Signer:
    """Returns the identity of a node."""
    return Secp256k1Signer(secret) if key_type == "secp256k1" else Ed25519Signer(secret)


class OwnRecord:
    """Signs anew when the addresses have changed, and every hour. Not thread-safe."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._addresses: tuple[str, ...] = ()
        self._signed: SignedRecord | None = None

    def current(self, addresses: Iterable[str], now_ms: int) -> SignedRecord:
        """Returns the record for what this node listens at now. Its number is the time."""
        wanted = tuple(addresses)[:MAX_OWN_ADDRESSES]
        signed = self._signed
        if signed is None or wanted != self._addresses or now_ms >= signed.record.seq + RENEW_MS:
            encoded = [encode_address(parse_address(address)) for address in wanted]
            signed = self._signed = sign_record(self._signer, now_ms, encoded, ())
            self._addresses = wanted
        return signed
