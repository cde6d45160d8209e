"""The identity scheme "v4": who signed a record, and where it stands in a table of nodes.

Spec: docs/protocol/delivery-light.md, DLC-33. Source: EIP-778, "v4" identity scheme.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from logos_crypto import base58
from logos_crypto.hashes import keccak256
from logos_crypto.node_record import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from logos_crypto.refusals import Base58Error
from logos_delivery.core.enr.errors import EnrSignatureError

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_DIGEST: Final = Prehashed(hashes.SHA256())  # of 32 bytes; Keccak's, which the library lacks
_PEER_ID: Final = bytes.fromhex("002508021221")  # identity multihash of a secp256k1 key


class RecordKey:
    """A node's secp256k1 key, as it signs records."""

    def __init__(self, secret: bytes) -> None:
        """Takes 32 bytes, a big-endian scalar; raises ValueError if it is none."""
        scalar = int.from_bytes(secret, "big")
        if len(secret) != 32 or not 0 < scalar < _ORDER:
            raise ValueError("not a secret key of secp256k1")
        self._key = ec.derive_private_key(scalar, ec.SECP256K1())

    @property
    def public_key(self) -> bytes:
        """Returns 33 bytes, compressed."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(self, content: bytes) -> bytes:
        """Returns 64 bytes, r and the lower s: the same for the same content (RFC 6979)."""
        algorithm = ec.ECDSA(_DIGEST, deterministic_signing=True)
        r, s = decode_dss_signature(self._key.sign(keccak256(content), algorithm))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")


def check_signature(public_key: bytes, content: bytes, signature: bytes) -> None:
    """Raises `EnrSignatureError` unless the content is signed by the key, with the lower s."""
    if len(signature) != SIGNATURE_BYTES:
        raise EnrSignatureError(f"a signature of {len(signature)} bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if s > _ORDER // 2:
        raise EnrSignatureError("the other one of a signature's two forms")
    try:
        _public(public_key).verify(
            encode_dss_signature(r, s), keccak256(content), ec.ECDSA(_DIGEST)
        )
    except (ValueError, InvalidSignature) as error:
        raise EnrSignatureError("not signed by the key in the record") from error


def node_id_of(public_key: bytes) -> bytes:
    """Returns keccak256 of the key without its form, 32 bytes; raises `EnrSignatureError`."""
    try:
        point = _public(public_key).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    except ValueError as error:
        raise EnrSignatureError("not a key of secp256k1") from error
    return keccak256(point[1:])


def peer_id_of(public_key: bytes) -> str:
    """Returns the libp2p peer id that holds a key: base58 of 39 bytes."""
    return base58.encode(_PEER_ID + public_key)


def public_key_of(peer_id: str) -> bytes | None:
    """Returns the 33 bytes of the key that a peer id holds; None if it is none of secp256k1."""
    try:
        raw = base58.decode(peer_id)
    except Base58Error:
        return None
    is_one = len(raw) == len(_PEER_ID) + PUBLIC_KEY_BYTES and raw.startswith(_PEER_ID)
    return raw[len(_PEER_ID) :] if is_one else None


def _public(raw: bytes) -> ec.EllipticCurvePublicKey:
    if len(raw) != PUBLIC_KEY_BYTES:
        raise ValueError("a key has 33 bytes")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), raw)
