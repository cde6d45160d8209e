"""The chain of the audit log: no record can be changed or left out unseen (KER-18)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

HASH_BYTES: Final = 32
START: Final = bytes(HASH_BYTES)
"""The hash before the first record."""

_DOMAIN: Final = b"logos-audit-v1"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One act that matters for security."""

    sequence: int
    """From 1, without a gap."""
    at_ms: int
    """Wall clock, milliseconds since 1970 UTC."""
    actor: str
    """`operator:NAME`, `module:NAME` or `kernel`."""
    action: str
    """What was done or tried, e.g. `token.issue`."""
    subject: str
    """What it was done to."""
    outcome: str
    """`OK`, or the reason of the refusal."""
    detail: str = ""
    hash: bytes = START
    """SHA-256 of the domain, the hash before, and every field with its length (8 bytes)."""


def append(before: AuditRecord | None, record: AuditRecord) -> AuditRecord:
    """Returns a record with the sequence and the hash of its place after another."""
    sequence = 1 if before is None else before.sequence + 1
    placed = replace(record, sequence=sequence)
    return replace(placed, hash=_hash(START if before is None else before.hash, placed))


def first_broken(records: Iterable[AuditRecord], before: AuditRecord | None = None) -> int | None:
    """Returns the sequence at which a chain does not hold; None if it does.

    Args:
        records: In order.
        before: The record before the first of them; None if they are all.
    """
    for record in records:
        expected = append(before, record)
        if expected != record:
            return expected.sequence
        before = record
    return None


def _hash(before: bytes, record: AuditRecord) -> bytes:
    texts = (record.actor, record.action, record.subject, record.outcome, record.detail)
    digest = hashlib.sha256(_DOMAIN + before)
    for field in (
        record.sequence.to_bytes(8, "big"),
        record.at_ms.to_bytes(8, "big"),
        *(text.encode() for text in texts),
    ):
        digest.update(len(field).to_bytes(8, "big") + field)
    return digest.digest()
