"""Slash records: two messages of one id, and so the secret of who sent them (RLN-23).

    01 | reporter's peer id 39 | epoch u64 LE | external nullifier 32 | nullifier 32
       | x 32 | y 32 | x 32 | y 32 | signature 8 to 72

The record proves itself: only the member's secret gives two points of one line whose slope hashes
to the nullifier. The signature says who reports.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto import rln
from logos_crypto.hashes import MODULUS
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Identity, Share
from logos_mixnet.core.identity import SECP256K1_ID_BYTES, is_secp256k1_id
from logos_mixnet.core.rln.errors import EvidenceError, SignatureError, SlashMalformedError
from logos_mixnet.core.rln.nullifiers import Point, Sighting
from logos_mixnet.core.rln.signing import (
    MAX_SIGNATURE_BYTES,
    HasSigned,
    Sign,
    signed_message,
)

DOMAIN: Final = "logos-rln-slash/v1"
VERSION: Final = b"\x01"
VALUES: Final = 6
PAYLOAD_BYTES: Final = 1 + SECP256K1_ID_BYTES + 8 + VALUES * 32
MIN_SIGNATURE_BYTES: Final = 8
MAX_SLASH_BYTES: Final = PAYLOAD_BYTES + MAX_SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two messages under one id."""

    epoch: int
    external_nullifier: bytes
    nullifier: bytes
    one: Point
    other: Point

    @classmethod
    def of(cls, seen: Sighting, other: Point, external_nullifier: bytes) -> "Evidence":
        """Joins what was seen with another point of the same nullifier."""
        return cls(seen.epoch, external_nullifier, seen.nullifier, seen.point, other)

    def identity(self) -> Identity:
        """Recovers the member's identity.

        Raises:
            EvidenceError: The points are not two of one line that gives the nullifier.
        """
        one, other = (
            Share(self.external_nullifier, self.nullifier, point.x, point.y)
            for point in (self.one, self.other)
        )
        try:
            return rln.recover([one], [other])
        except RefusedError as error:
            raise EvidenceError(f"the shares give no secret: {error}") from error


@dataclass(frozen=True, slots=True)
class SlashRecord:
    """Evidence, signed by the relay that found it."""

    reporter: bytes
    evidence: Evidence
    signature: bytes

    @classmethod
    def sign(cls, sign: Sign, reporter: bytes, evidence: Evidence) -> "SlashRecord":
        """Signs this node's own report."""
        unsigned = cls(reporter, evidence, b"")
        return cls(reporter, evidence, sign(signed_message(DOMAIN, unsigned.payload())))

    def payload(self) -> bytes:
        """Returns what is signed, without its purpose."""
        evidence = self.evidence
        values = (evidence.external_nullifier, evidence.nullifier, *evidence.one, *evidence.other)
        epoch = evidence.epoch.to_bytes(8, "little")
        return VERSION + self.reporter + epoch + b"".join(values)

    def encode(self) -> bytes:
        """Returns at most 312 bytes."""
        return self.payload() + self.signature

    @classmethod
    def decode(cls, raw: bytes, has_signed: HasSigned) -> "SlashRecord":
        """Reads a record and checks its signature; its evidence is for `Evidence.identity`.

        Raises:
            SlashMalformedError: A length, the version or a value is wrong.
            SignatureError: The peer that it names has not signed it.
        """
        size = len(raw) - PAYLOAD_BYTES
        if not MIN_SIGNATURE_BYTES <= size <= MAX_SIGNATURE_BYTES or not raw.startswith(VERSION):
            raise SlashMalformedError("a slash record has 248 to 312 bytes of version 1")
        reporter, rest = raw[1:40], raw[48:PAYLOAD_BYTES]
        values = [rest[start : start + 32] for start in range(0, VALUES * 32, 32)]
        if not is_secp256k1_id(reporter) or any(
            int.from_bytes(value, "little") >= MODULUS for value in values
        ):
            raise SlashMalformedError("a peer id or a field value is not valid")
        external_nullifier, nullifier, *points = values
        one, other = Point(*points[:2]), Point(*points[2:])
        epoch = int.from_bytes(raw[40:48], "little")
        evidence = Evidence(epoch, external_nullifier, nullifier, one, other)
        read = cls(reporter, evidence, raw[PAYLOAD_BYTES:])
        if not has_signed(reporter, signed_message(DOMAIN, read.payload()), read.signature):
            raise SignatureError("the record is not signed by the peer that it names")
        return read
