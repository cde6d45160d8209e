"""What relays tell each other of an epoch that is over: LIP-144's `MessagingMetadata` (RLN-28).

    1 (repeated): 1 nullifier 32 | 2 (repeated) x 32 | 3 (repeated) y 32

It does not say which epoch: a nullifier stands in one only.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_crypto.protobuf import MAX_FIELDS, bytes_field
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.rln.errors import ReportMalformedError
from logos_mixnet.core.rln.nullifiers import Point, Sighting

TOPIC: Final = "/logos/rln/metadata/1"
MAX_SHARES: Final = MAX_FIELDS
"""Of one message."""
MAX_BYTES: Final = MAX_SHARES * 128


class Told(NamedTuple):
    """One share that a relay says it saw."""

    nullifier: bytes
    point: Point


def messages(shares: Iterable[Sighting]) -> Iterator[bytes]:
    """Encodes shares, in as many messages as it takes."""
    rest = iter(shares)
    while some := list(islice(rest, MAX_SHARES)):
        yield b"".join(bytes_field(1, _encoded(each)) for each in some)


def read(raw: bytes) -> Sequence[Told]:
    """Reads a message. Untrusted.

    Raises:
        ReportMalformedError: It is too long, no such message, or a value is no field value.
    """
    if len(raw) > MAX_BYTES:
        raise ReportMalformedError(f"a report has at most {MAX_BYTES} bytes")
    try:
        told = [each for nullifier in Fields(raw).repeated(1) for each in _read(Fields(nullifier))]
    except MessageMalformedError as error:
        raise ReportMalformedError(f"not a report: {error}") from error
    if not 0 < len(told) <= MAX_SHARES:
        raise ReportMalformedError(f"a report has 1 to {MAX_SHARES} shares")
    return told


def _encoded(share: Sighting) -> bytes:
    values = (share.nullifier, *share.point)
    return b"".join(bytes_field(number, value) for number, value in enumerate(values, 1))


def _read(fields: Fields) -> Iterator[Told]:
    nullifier, xs, ys = fields.raw(1), fields.repeated(2), fields.repeated(3)
    if len(xs) != len(ys) or not all(map(_is_value, (nullifier, *xs, *ys))):
        raise ReportMalformedError("a nullifier or a share is not a field value")
    for x, y in zip(xs, ys, strict=True):
        yield Told(nullifier, Point(x, y))


def _is_value(raw: bytes) -> bool:
    return len(raw) == FIELD_BYTES and int.from_bytes(raw, "little") < MODULUS
