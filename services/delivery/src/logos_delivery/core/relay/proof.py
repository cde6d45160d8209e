"""The proof that a message carries, and what it is bound to.

Delivery's `RateLimitProof` is LIP-144's of 301 bytes, with the application's identifier as a
seventh field: 335 bytes. Values are little-endian in both, so one is turned into the other by
that field alone.

Spec: docs/protocol/delivery-sending.md, DSN-17. Sources: 17/WAKU2-RLN-RELAY; LIP-144.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.message import Message
from logos_delivery.core.relay.errors import RateLimitProofMalformedError

RELAY_IDENTIFIER: Final = b"rln/waku-rln-relay/v2.0.0".ljust(32, b"\0")
GROTH16_BYTES: Final = 128
VALUE_BYTES: Final = 32
PROOF_BYTES: Final = 335
LIP144_BYTES: Final = 301
MAX_PROOF_BYTES: Final = 1_024
"""Of what is read at all: there may be fields that this version does not know."""

_PROOF, _ROOT, _EPOCH, _SHARE_X, _SHARE_Y, _NULLIFIER, _IDENTIFIER = range(1, 8)
_SIZES: Final = {
    _PROOF: GROTH16_BYTES,
    **dict.fromkeys((_ROOT, _EPOCH, _SHARE_X, _SHARE_Y, _NULLIFIER, _IDENTIFIER), VALUE_BYTES),
}


@dataclass(frozen=True, slots=True)
class RateLimitProof:
    """The fields. Values have 32 bytes, little-endian; whether they are valid is not yet said."""

    groth16: bytes
    """128 bytes: `A | B | C`, compressed."""
    root: bytes
    epoch: int
    """A number of 64 bits."""
    share_x: bytes
    share_y: bytes
    nullifier: bytes
    identifier: bytes = RELAY_IDENTIFIER
    """32 bytes, of the application."""

    def lip144(self) -> bytes:
        """Returns LIP-144's encoding, 301 bytes: without the identifier."""
        epoch = self.epoch.to_bytes(VALUE_BYTES, "little")
        values = (self.groth16, self.root, epoch, self.share_x, self.share_y, self.nullifier)
        return b"".join(bytes_field(number, value) for number, value in enumerate(values, 1))

    def encode(self) -> bytes:
        """Returns the 335 bytes that a message carries."""
        return self.lip144() + bytes_field(_IDENTIFIER, self.identifier)


def decode(raw: bytes) -> RateLimitProof:
    """Reads the proof of a message. Untrusted.

    Raises:
        RateLimitProofMalformedError: It is none: a field is missing or has another size, or the
            epoch has over 64 bits.
    """
    if len(raw) > MAX_PROOF_BYTES:
        raise RateLimitProofMalformedError(f"a proof of {len(raw)} bytes")
    try:
        fields = Fields(raw)
        values = [fields.raw(number) for number in _SIZES]
    except ProtobufError as error:
        raise RateLimitProofMalformedError(str(error)) from error
    for value, (number, size) in zip(values, _SIZES.items(), strict=True):
        if len(value) != size:
            raise RateLimitProofMalformedError(f"field {number} of a proof has not {size} bytes")
    groth16, root, epoch, share_x, share_y, nullifier, identifier = values
    number = int.from_bytes(epoch, "little")
    if number >= 1 << 64:
        raise RateLimitProofMalformedError("an epoch is a number of 64 bits")
    return RateLimitProof(groth16, root, number, share_x, share_y, nullifier, identifier)


def of_lip144(raw: bytes, identifier: bytes) -> RateLimitProof:
    """Returns a proof that the mixnet has made, 301 bytes, as one of an application.

    Raises:
        RateLimitProofMalformedError
    """
    return decode(raw + bytes_field(_IDENTIFIER, identifier))


def signal_of(message: Message) -> bytes:
    """Returns what a proof is bound to: payload, content topic, and timestamp in 8 bytes,
    little-endian, two's complement.

    Meta, version and whether it is ephemeral are not part of it.
    """
    stamp = message.timestamp_ns.to_bytes(8, "little", signed=True)
    return message.payload + message.content_topic.encode() + stamp


def epoch_of(message: Message, period_ms: int) -> int:
    """Returns the epoch of a message's timestamp; negative for one before 1970."""
    return message.timestamp_ns // (period_ms * 1_000_000)
