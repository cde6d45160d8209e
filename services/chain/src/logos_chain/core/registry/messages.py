"""What a deposit tells the registry by its metadata.

Spec: docs/protocol/rln-registry.md, RLC-3.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.hashes import FIELD_BYTES, MODULUS

REGISTRATION: Final = b"\x01\x01"
"""Version and kind."""
SLASH: Final = b"\x01\x02"
_LIMIT_BYTES: Final = 2
_REGISTRATION_BYTES: Final = len(REGISTRATION) + FIELD_BYTES + _LIMIT_BYTES
_SLASH_BYTES: Final = len(SLASH) + FIELD_BYTES


@dataclass(frozen=True, slots=True)
class Registration:
    """A commitment is to be a member."""

    commitment: bytes
    """32 bytes, a field value, not zero."""
    limit: int
    """16 bits."""

    def encode(self) -> bytes:
        """Returns 36 bytes."""
        return REGISTRATION + self.commitment + self.limit.to_bytes(_LIMIT_BYTES, "little")


@dataclass(frozen=True, slots=True)
class Slash:
    """A secret is known to others, so its member is to be removed."""

    secret: bytes
    """32 bytes, a field value, not zero. Public from here on."""

    def encode(self) -> bytes:
        """Returns 34 bytes."""
        return SLASH + self.secret


def decode(raw: bytes) -> Registration | Slash | None:
    """Reads the metadata of a deposit; None: it is no message of the registry. Untrusted."""
    value = raw[2 : 2 + FIELD_BYTES]
    if not is_value(value):
        return None
    if raw.startswith(REGISTRATION) and len(raw) == _REGISTRATION_BYTES:
        return Registration(value, int.from_bytes(raw[-_LIMIT_BYTES:], "little"))
    if raw.startswith(SLASH) and len(raw) == _SLASH_BYTES:
        return Slash(value)
    return None


def is_value(raw: bytes) -> bool:
    """Says whether bytes are a field value that is not zero (RLN-10)."""
    return len(raw) == FIELD_BYTES and 0 < int.from_bytes(raw, "little") < MODULUS
