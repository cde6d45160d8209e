"""Requests and responses of peer exchange, as bytes.

Spec: docs/protocol/network.md, NET-19.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_crypto import varint
from logos_crypto.protobuf import bytes_field, bytes_fields, number_field
from logos_crypto.refusals import VarintError
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.capability.records import MAX_RECORD_BYTES

PROTOCOL: Final = "/logos/peer-exchange/1.0.0"
MAX_SAMPLE: Final = 16
"""Records of others in one response."""
MAX_REQUEST_BYTES: Final = MAX_RECORD_BYTES + 16
MAX_RESPONSE_BYTES: Final = (MAX_SAMPLE + 1) * (MAX_RECORD_BYTES + 4)

_COUNT: Final = 1
_OWN: Final = 2
_RECORDS: Final = 3
_MAX_PREFIX_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """Asks for records of other peers, and brings that of the peer which asks."""

    count: int
    own: bytes = b""

    def encode(self) -> bytes:
        """Returns its bytes, without the length before them."""
        own = bytes_field(_OWN, self.own) if self.own else b""
        return number_field(_COUNT, self.count) + own


@dataclass(frozen=True, slots=True)
class ExchangeResponse:
    """Records of other peers, and that of the peer which answers."""

    own: bytes = b""
    records: Sequence[bytes] = ()

    def encode(self) -> bytes:
        """Returns its bytes, without the length before them."""
        own = bytes_field(_OWN, self.own) if self.own else b""
        return own + bytes_fields(_RECORDS, self.records)


def decode_request(raw: bytes) -> ExchangeRequest:
    """Reads a request; raises `MessageMalformedError` if it is none."""
    fields = Fields(raw)
    return ExchangeRequest(min(fields.number(_COUNT), MAX_SAMPLE), fields.raw(_OWN))


def decode_response(raw: bytes) -> ExchangeResponse:
    """Reads a response; raises `MessageMalformedError` if it is none, or has too many records."""
    fields = Fields(raw)
    records = fields.repeated(_RECORDS)
    if len(records) > MAX_SAMPLE:
        raise MessageMalformedError(f"over {MAX_SAMPLE} records in a response")
    return ExchangeResponse(fields.raw(_OWN), tuple(records))


def frame(message: bytes) -> bytes:
    """Puts the length before a message."""
    return varint.encode(len(message)) + message


class Framed:
    """The one message of one direction of a stream, as its bytes come in."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._raw = b""

    def feed(self, data: bytes) -> bytes | None:
        """Takes bytes; returns the message once it is whole.

        Raises:
            MessageMalformedError: It is too long, or more follows.
        """
        self._raw += data[: self._max_bytes + _MAX_PREFIX_BYTES + 1 - len(self._raw)]
        ended = any(byte < 0x80 for byte in self._raw[:_MAX_PREFIX_BYTES])
        if not ended and len(self._raw) < _MAX_PREFIX_BYTES:
            return None
        try:
            size, at = varint.decode(self._raw)
        except VarintError as error:
            raise MessageMalformedError(str(error)) from error
        if size > self._max_bytes or len(self._raw) > at + size:
            raise MessageMalformedError(f"a message of over {self._max_bytes} bytes")
        return self._raw[at:] if len(self._raw) == at + size else None
