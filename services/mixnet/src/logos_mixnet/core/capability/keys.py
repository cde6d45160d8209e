"""The keys that sign records and tickets, and the peer ids that name them.

Spec: docs/protocol/discovery.md, DIS-3; docs/protocol/network.md, NET-1.
Source: libp2p, peer-ids specification.
"""

from dataclasses import dataclass
from typing import Final, Literal, NewType, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from logos_crypto.hashes import keccak256
from logos_mixnet.core.capability.errors import KeyMalformedError
from logos_mixnet.core.identity import SECP256K1_ORDER, is_valid_secret

PeerId = NewType("PeerId", bytes)
"""A peer id in its binary form: the identity multihash of a public key."""

MAX_PEER_ID_BYTES: Final = 64

_SECP256K1: Final = bytes.fromhex("08021221")  # Protocol Buffers: key type, length of the key
_ED25519: Final = bytes.fromhex("08011220")
_SIZES: Final = {_SECP256K1: 33, _ED25519: 32}
_IDENTITY: Final = 0x00
_MAX_SIGNATURE_BYTES: Final = 72
_DIGEST: Final = Prehashed(hashes.SHA256())  # of 32 bytes; Keccak's, which the library lacks


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A secp256k1 or Ed25519 key."""

    encoded: bytes
    """As Protocol Buffers: 37 bytes (secp256k1, compressed) or 36 (Ed25519)."""

    def __post_init__(self) -> None:
        """Raises `KeyMalformedError` unless it is a key of either type, in its only encoding."""
        prefix = self.encoded[:4]
        if len(self.encoded) - len(prefix) != _SIZES.get(prefix):
            raise KeyMalformedError("not a secp256k1 or Ed25519 public key")

    @property
    def peer_id(self) -> PeerId:
        """The peer id of who has the secret key: 39 bytes, or 38."""
        return PeerId(bytes([_IDENTITY, len(self.encoded)]) + self.encoded)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Says whether a signature of a message is of this key. Never raises."""
        try:
            if self.encoded.startswith(_ED25519):
                key = ed25519.Ed25519PublicKey.from_public_bytes(self.encoded[4:])
                key.verify(signature, message)
            else:
                self._check_ecdsa(message, signature)
        except (ValueError, InvalidSignature):
            return False
        return True

    def _check_ecdsa(self, message: bytes, signature: bytes) -> None:
        if len(signature) > _MAX_SIGNATURE_BYTES:
            raise InvalidSignature
        _, s = decode_dss_signature(signature)
        if s > SECP256K1_ORDER // 2:  # the other half of each signature's two forms
            raise InvalidSignature
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), self.encoded[4:])
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))


def public_key_of(peer_id: bytes) -> PublicKey:
    """Returns the key that a peer id holds; raises `KeyMalformedError` if it holds none."""
    if peer_id[:1] != bytes([_IDENTITY]) or len(peer_id) != 2 + (peer_id[1] if peer_id[1:] else 0):
        raise KeyMalformedError("the peer id does not hold a public key")
    return PublicKey(peer_id[2:])


class Signer(Protocol):
    """The identity of a node, as it signs its records and its tickets."""

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes: ...


class Secp256k1Signer:
    """Signs with a node's secret key: ECDSA over SHA-256, DER, the lower s, RFC 6979."""

    def __init__(self, secret: bytes) -> None:
        """Takes 32 bytes, a big-endian scalar; raises ValueError if it is none."""
        if not is_valid_secret(secret):
            raise ValueError("not a secret key of secp256k1")
        self._key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self._public_key = PublicKey(_SECP256K1 + point)

    @property
    def public_key(self) -> PublicKey:
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Returns at most 72 bytes; the same message gives the same signature."""
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, min(s, SECP256K1_ORDER - s))

    def sign_v4(self, content: bytes) -> bytes:
        """Signs as EIP-778 has it: keccak256; 64 bytes, r and the lower s, RFC 6979."""
        algorithm = ec.ECDSA(_DIGEST, deterministic_signing=True)
        r, s = decode_dss_signature(self._key.sign(keccak256(content), algorithm))
        return r.to_bytes(32, "big") + min(s, SECP256K1_ORDER - s).to_bytes(32, "big")


class Ed25519Signer:
    """Signs with a node's secret key of the other type."""

    def __init__(self, secret: bytes) -> None:
        """Takes 32 bytes, a seed of RFC 8032."""
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        self._public_key = PublicKey(_ED25519 + self._key.public_key().public_bytes_raw())

    @property
    def public_key(self) -> PublicKey:
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Returns 64 bytes; the same message gives the same signature."""
        return self._key.sign(message)


def signer_of(key_type: Literal["secp256k1", "ed25519"], secret: bytes) -> Signer:
    """Returns what signs with the secret key of a node's identity (NET-1)."""
    return Ed25519Signer(secret) if key_type == "ed25519" else Secp256k1Signer(secret)
