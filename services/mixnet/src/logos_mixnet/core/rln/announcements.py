"""Announcements: a node says which commitment is its own (RLN-22).

For test networks without a chain: one who has many identities has as many budgets.

    01 | peer id 39 | rln identifier 32 | commitment 32 | limit u16 LE | signature 8 to 72
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.hashes import MODULUS
from logos_mixnet.core.identity import SECP256K1_ID_BYTES, is_secp256k1_id
from logos_mixnet.core.rln.errors import AnnouncementMalformedError, SignatureError
from logos_mixnet.core.rln.signing import (
    MAX_SIGNATURE_BYTES,
    HasSigned,
    Sign,
    signed_message,
)

DOMAIN: Final = "logos-rln-membership/v1"
VERSION: Final = b"\x01"
PAYLOAD_BYTES: Final = 1 + SECP256K1_ID_BYTES + 32 + 32 + 2
MIN_SIGNATURE_BYTES: Final = 8
MAX_ANNOUNCEMENT_BYTES: Final = PAYLOAD_BYTES + MAX_SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Announcement:
    """One node and its commitment, signed by it."""

    peer_id: bytes
    identifier: bytes
    """The application's rln identifier, 32 bytes."""
    commitment: bytes
    limit: int
    signature: bytes

    @classmethod
    def sign(
        cls, sign: Sign, *, peer_id: bytes, identifier: bytes, commitment: bytes, limit: int
    ) -> "Announcement":
        """Signs this node's own. The limit is 1 to 65,535."""
        unsigned = cls(peer_id, identifier, commitment, limit, b"")
        message = signed_message(DOMAIN, unsigned.payload())
        return cls(peer_id, identifier, commitment, limit, sign(message))

    def payload(self) -> bytes:
        """Returns what is signed, without its purpose."""
        limit = self.limit.to_bytes(2, "little")
        return VERSION + self.peer_id + self.identifier + self.commitment + limit

    def encode(self) -> bytes:
        """Returns at most 178 bytes."""
        return self.payload() + self.signature

    @classmethod
    def decode(cls, raw: bytes, has_signed: HasSigned) -> "Announcement":
        """Reads an announcement and checks its signature. Untrusted.

        Raises:
            AnnouncementMalformedError: A length, the version or a value is wrong.
            SignatureError: The peer that it names has not signed it.
        """
        size = len(raw) - PAYLOAD_BYTES
        if not MIN_SIGNATURE_BYTES <= size <= MAX_SIGNATURE_BYTES or not raw.startswith(VERSION):
            raise AnnouncementMalformedError("an announcement has 114 to 178 bytes of version 1")
        peer_id, identifier, commitment = raw[1:40], raw[40:72], raw[72:104]
        limit = int.from_bytes(raw[104:PAYLOAD_BYTES], "little")
        value = int.from_bytes(commitment, "little")
        if not is_secp256k1_id(peer_id) or not 0 < value < MODULUS or limit == 0:
            raise AnnouncementMalformedError("a peer id, commitment or limit is not valid")
        read = cls(peer_id, identifier, commitment, limit, raw[PAYLOAD_BYTES:])
        if not has_signed(peer_id, signed_message(DOMAIN, read.payload()), read.signature):
            raise SignatureError("the announcement is not signed by the peer that it names")
        return read
