"""Records of members that used a message id twice, as the mixnet writes them (RLN-23).

Only the member's secret gives two points of one line whose slope hashes to the nullifier, so the
points prove themselves. Who reports, and its signature, matter to mixnets alone: on the chain the
reward is that of who deposits the slash.

Spec: docs/protocol/rln-registry.md, RLC-10.
"""

from typing import Final

from logos_chain.core.registry.errors import EvidenceError, SlashMalformedError
from logos_chain.core.registry.messages import is_value
from logos_crypto import rln
from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Identity, Share

_VERSION: Final = b"\x01"
_BEFORE_BYTES: Final = 1 + 39 + 8
"""Version, reporter's peer id, epoch."""
_PAYLOAD_BYTES: Final = _BEFORE_BYTES + 6 * FIELD_BYTES
MIN_BYTES: Final = _PAYLOAD_BYTES + 8
MAX_BYTES: Final = _PAYLOAD_BYTES + 72


def identity_of_record(raw: bytes) -> Identity:
    """Recovers the identity that a record convicts. Untrusted.

    Args:
        raw: 248 to 312 bytes.

    Raises:
        SlashMalformedError: A length, the version or a value is wrong.
        EvidenceError: The points are not two of one line that gives the nullifier.
    """
    if not MIN_BYTES <= len(raw) <= MAX_BYTES or not raw.startswith(_VERSION):
        raise SlashMalformedError("a slash record has 248 to 312 bytes of version 1")
    values = [
        raw[start : start + FIELD_BYTES]
        for start in range(_BEFORE_BYTES, _PAYLOAD_BYTES, FIELD_BYTES)
    ]
    if any(int.from_bytes(each, "little") >= MODULUS for each in values):
        raise SlashMalformedError("a value is none of the field")
    external, nullifier, *points = values
    one, other = (Share(external, nullifier, *pair) for pair in (points[:2], points[2:]))
    try:
        return rln.recover([one], [other])
    except RefusedError as error:
        raise EvidenceError(f"the shares give no secret: {error}") from error


def identity_of_secret(secret: bytes) -> Identity:
    """Returns the identity of a secret, 32 bytes; raises `EvidenceError`. Untrusted."""
    if not is_value(secret):
        raise EvidenceError("a secret is a field value of 32 bytes that is not zero")
    return Identity.from_secret(secret)
