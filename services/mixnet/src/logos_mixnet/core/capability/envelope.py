"""Signed envelopes: a payload, its type, and who signed both for which purpose.

Spec: docs/protocol/discovery.md, DIS-4. Source: libp2p RFC 0002; go-libp2p `core/record`.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto import varint
from logos_crypto.protobuf import bytes_field
from logos_mixnet.core.capability.errors import EnvelopeSignatureError
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.capability.keys import PublicKey, Signer

_PUBLIC_KEY: Final = 1
_PAYLOAD_TYPE: Final = 2
_PAYLOAD: Final = 3
_SIGNATURE: Final = 5


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope whose signature is valid."""

    public_key: PublicKey
    payload_type: bytes
    payload: bytes
    signature: bytes

    def encode(self) -> bytes:
        """Returns its bytes, with the fields in the order of their numbers."""
        return (
            bytes_field(_PUBLIC_KEY, self.public_key.encoded)
            + bytes_field(_PAYLOAD_TYPE, self.payload_type)
            + bytes_field(_PAYLOAD, self.payload)
            + bytes_field(_SIGNATURE, self.signature)
        )


def seal(signer: Signer, domain: str, payload_type: bytes, payload: bytes) -> Envelope:
    """Signs a payload for a purpose."""
    signature = signer.sign(_signed_bytes(domain, payload_type, payload))
    return Envelope(signer.public_key, payload_type, payload, signature)


def open_envelope(raw: bytes, domain: str) -> Envelope:
    """Reads an envelope of any size: callers bound it first.

    Raises:
        MessageMalformedError, KeyMalformedError: It is none, or its key is of another type.
        EnvelopeSignatureError: It was not signed so by its key, or for another domain.
    """
    fields = Fields(raw)
    envelope = Envelope(
        PublicKey(fields.raw(_PUBLIC_KEY)),
        fields.raw(_PAYLOAD_TYPE),
        fields.raw(_PAYLOAD),
        fields.raw(_SIGNATURE),
    )
    message = _signed_bytes(domain, envelope.payload_type, envelope.payload)
    if not envelope.public_key.has_signed(message, envelope.signature):
        raise EnvelopeSignatureError("the signature of the envelope is not valid")
    return envelope


def _signed_bytes(domain: str, payload_type: bytes, payload: bytes) -> bytes:
    parts = (domain.encode(), payload_type, payload)
    return b"".join(varint.encode(len(part)) + part for part in parts)
