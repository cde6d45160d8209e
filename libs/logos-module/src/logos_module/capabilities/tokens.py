"""Capability tokens as bytes: 64 bytes of signature, then the claims (KER-15)."""

import hashlib
from collections.abc import Mapping
from typing import Final

from google.protobuf.message import DecodeError
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from logos.kernel.v1 import capability_pb2 as pb
from logos_base.capabilities import (
    MAX_TOKEN_BYTES,
    PROOF_KEY_BYTES,
    TOKEN_ID_BYTES,
    Claims,
    ModuleSubject,
)
from logos_module.capabilities.errors import TokenInvalidError

KEY_ID_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
_DOMAIN: Final = b"logos-cap-v1\x00"


def key_id_of(public_key: bytes) -> bytes:
    """Returns the name of an Ed25519 public key of 32 bytes: 8 bytes."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


def sign(claims: Claims, key: SigningKey) -> bytes:
    """Makes a token; `ValueError` if it is over 512 bytes: name fewer methods."""
    body = _to_message(claims, key_id_of(key.verify_key.encode())).SerializeToString()
    if SIGNATURE_BYTES + len(body) > MAX_TOKEN_BYTES:
        raise ValueError(f"a token of {SIGNATURE_BYTES + len(body)} bytes is too long")
    return key.sign(_DOMAIN + body).signature + body


def verify(token: bytes, keys: Mapping[bytes, VerifyKey]) -> Claims:
    """Returns what a token says.

    Args:
        token: As it came with a call.
        keys: The kernel's public keys, by `key_id_of`.

    Raises:
        TokenInvalidError: None of the keys has signed it.
    """
    if not SIGNATURE_BYTES < len(token) <= MAX_TOKEN_BYTES:
        raise TokenInvalidError(f"{len(token)} bytes are no token")
    signature, body = token[:SIGNATURE_BYTES], token[SIGNATURE_BYTES:]
    message = pb.CapabilityClaims()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise TokenInvalidError("not a token") from error
    key = keys.get(message.key_id)
    if key is None:
        raise TokenInvalidError("signed by a key that this node's kernel does not have")
    try:
        key.verify(_DOMAIN + body, signature)
    except BadSignatureError as error:
        raise TokenInvalidError("its signature is wrong") from error
    return _to_claims(message)


def _to_message(claims: Claims, key_id: bytes) -> pb.CapabilityClaims:
    subject = claims.subject
    return pb.CapabilityClaims(
        key_id=key_id,
        token_id=claims.token_id,
        subject=pb.ModuleSubject(
            name=subject.name, instance_id=subject.instance_id, epoch=subject.epoch
        ),
        audience=claims.audience,
        methods=claims.methods,
        issued_at=claims.issued_at_s,
        expires_at=claims.expires_at_s,
        proof_key=claims.proof_key,
    )


def _to_claims(message: pb.CapabilityClaims) -> Claims:
    sizes = len(message.token_id), len(message.proof_key)
    if sizes != (TOKEN_ID_BYTES, PROOF_KEY_BYTES):
        raise TokenInvalidError("its claims are malformed")
    said = message.subject
    return Claims(
        token_id=message.token_id,
        subject=ModuleSubject(said.name, said.instance_id, said.epoch),
        audience=message.audience,
        methods=tuple(message.methods),
        issued_at_s=message.issued_at,
        expires_at_s=message.expires_at,
        proof_key=message.proof_key,
    )
