"""`RateLimitProof` of LIP-144 as it stands at the end of a packet, its points not yet read.

What costs microseconds is looked at before what costs a millisecond: the epoch, the root and the
signal are checked on this, and only then is the proof read and verified by `logos_crypto.rln`.

Spec: docs/protocol/rln.md, RLN-11: one encoding of 301 bytes.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_mixnet.core.rln.errors import ProofMalformedError

FRAME_BYTES: Final = 301
GROTH16_BYTES: Final = 128

_GROTH16_HEADER: Final = b"\x0a\x80\x01"
_VALUE_HEADERS: Final = tuple(bytes([tag, FIELD_BYTES]) for tag in (0x12, 0x1A, 0x22, 0x2A, 0x32))
_VALUES_START: Final = len(_GROTH16_HEADER) + GROTH16_BYTES
_STEP: Final = 2 + FIELD_BYTES
_EPOCH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class ProofFrame:
    """The fields, in their order. Values have 32 bytes, little-endian, below the modulus."""

    groth16: bytes
    """128 bytes. Whether they are points is not yet said."""
    root: bytes
    epoch: int
    """A number of 64 bits."""
    share_x: bytes
    share_y: bytes
    nullifier: bytes

    def encode(self) -> bytes:
        """Returns the 301 bytes."""
        epoch = self.epoch.to_bytes(FIELD_BYTES, "little")
        values = (self.root, epoch, self.share_x, self.share_y, self.nullifier)
        pairs = zip(_VALUE_HEADERS, values, strict=True)
        fields = b"".join(header + value for header, value in pairs)
        return _GROTH16_HEADER + self.groth16 + fields

    @classmethod
    def decode(cls, raw: bytes) -> "ProofFrame":
        """Reads the only encoding. Untrusted.

        Raises:
            ProofMalformedError: A length, a field header, a value or the epoch is wrong.
        """
        if len(raw) != FRAME_BYTES or not raw.startswith(_GROTH16_HEADER):
            raise ProofMalformedError(f"a rate limit proof has {FRAME_BYTES} bytes in one order")
        values = []
        for position, header in enumerate(_VALUE_HEADERS):
            start = _VALUES_START + position * _STEP
            value = raw[start + 2 : start + _STEP]
            if raw[start : start + 2] != header or int.from_bytes(value, "little") >= MODULUS:
                raise ProofMalformedError("a field of a rate limit proof is not a field value")
            values.append(value)
        root, epoch, share_x, share_y, nullifier = values
        if any(epoch[_EPOCH_BYTES:]):
            raise ProofMalformedError("an epoch is a number of 64 bits")
        number = int.from_bytes(epoch[:_EPOCH_BYTES], "little")
        groth16 = raw[len(_GROTH16_HEADER) : _VALUES_START]
        return cls(groth16, root, number, share_x, share_y, nullifier)
