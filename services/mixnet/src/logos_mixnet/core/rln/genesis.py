"""The members with which a testnet begins: their announcements, in one file (RLN-39).

    01 | count u16 LE | count times: length u16 LE | announcement

The announcements stand by peer id, which rises, so the same members have one file only.
"""

from collections.abc import Iterable
from typing import Final

from logos_mixnet.core.rln.announced import MAX_ANNOUNCED
from logos_mixnet.core.rln.announcements import MAX_ANNOUNCEMENT_BYTES, Announcement
from logos_mixnet.core.rln.errors import (
    AnnouncementMalformedError,
    GenesisDamagedError,
    SignatureError,
)
from logos_mixnet.core.rln.signing import HasSigned

VERSION: Final = b"\x01"
MAX_GENESIS_BYTES: Final = 3 + MAX_ANNOUNCED * (2 + MAX_ANNOUNCEMENT_BYTES)
"""184,323 bytes."""


def encode_members(announcements: Iterable[Announcement]) -> bytes:
    """Returns the file of at most 1,024 announcements, of one peer each."""
    ordered = [each.encode() for each in sorted(announcements, key=lambda each: each.peer_id)]
    parts = [len(raw).to_bytes(2, "little") + raw for raw in ordered]
    return VERSION + len(parts).to_bytes(2, "little") + b"".join(parts)


def decode_members(raw: bytes, has_signed: HasSigned) -> tuple[Announcement, ...]:
    """Reads a file and checks its signatures.

    Raises:
        GenesisDamagedError: It is not exactly what `encode_members` returns.
    """
    if not 3 <= len(raw) <= MAX_GENESIS_BYTES or not raw.startswith(VERSION):
        raise GenesisDamagedError("not 3 to 184,323 bytes of version 1")
    count, at, found = int.from_bytes(raw[1:3], "little"), 3, list[Announcement]()
    for _ in range(min(count, MAX_ANNOUNCED)):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "little")
        found.append(_announcement(raw[at + 2 : end], has_signed))
        at = end
    peers = [each.peer_id for each in found]
    if at != len(raw) or len(found) != count or peers != sorted(set(peers)):
        raise GenesisDamagedError("its count, its length or the order of its peers is wrong")
    return tuple(found)


def _announcement(raw: bytes, has_signed: HasSigned) -> Announcement:
    try:
        return Announcement.decode(raw, has_signed)
    except (AnnouncementMalformedError, SignatureError) as error:
        raise GenesisDamagedError(str(error)) from error
