"""Memberships that another node registers: the messages of LIP-158, field for field (RLN-31).

Who may have one is for an authentication to say; `SharedSecret` is that of test networks.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from logos_crypto import varint
from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_crypto.protobuf import bytes_field, number_field
from logos_crypto.refusals import VarintError
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.rln.errors import AllocationMalformedError, AuthenticationError

PROTOCOL: Final = "/logos/rln/membership/1.0.0"
SERVICE: Final = "/rln/membership/1.0.0"
"""Under which providers are discovered."""
MAX_MESSAGE_BYTES: Final = 4_096
MAX_ID_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class AllocationRequest:
    """Asks for a membership of a commitment."""

    request_id: str
    identity_commitment: bytes
    rate_limit: int | None = None
    """None: as the provider chooses."""
    authentication_type: bytes = b""
    authentication_payload: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Returns LIP-158's message."""
        texts = (
            self.request_id.encode(),
            self.authentication_type,
            self.authentication_payload,
            self.identity_commitment,
        )
        raw = b"".join(bytes_field(number, text) for number, text in enumerate(texts, 1) if text)
        return raw if self.rate_limit is None else raw + number_field(5, self.rate_limit)

    @classmethod
    def decode(cls, raw: bytes) -> "AllocationRequest":
        """Reads a request. Untrusted; raises `AllocationMalformedError`."""
        try:
            fields = Fields(raw)
            commitment = fields.raw(4)
            limit = fields.number(5) if fields.has(5) else None
            read = cls(fields.text(1), commitment, limit, fields.raw(2), fields.raw(3))
        except MessageMalformedError as error:
            raise AllocationMalformedError(f"not a request: {error}") from error
        value = int.from_bytes(commitment, "little")
        if len(commitment) != FIELD_BYTES or not 0 < value < MODULUS:
            raise AllocationMalformedError("the identity commitment is not a field value")
        if not 0 < len(read.request_id.encode()) <= MAX_ID_BYTES:
            raise AllocationMalformedError(f"a request id has 1 to {MAX_ID_BYTES} bytes")
        return read


@dataclass(frozen=True, slots=True)
class Allocated:
    """Where the membership stands."""

    leaf_index: int
    merkle_root: bytes
    block_number: int = 0
    transaction_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class AllocationResponse:
    """What became of a request: `allocated`, or why there is no membership."""

    request_id: str
    is_authentic: bool
    error: str | None = None
    allocated: Allocated | None = None
    failure: str | None = None

    def encode(self) -> bytes:
        """Returns LIP-158's message."""
        raw = bytes_field(1, self.request_id.encode())
        if self.is_authentic:
            raw += number_field(2, 1)
        if self.error is not None:
            raw += bytes_field(3, self.error.encode())
        if (done := self.allocated) is not None:
            numbers = number_field(1, done.leaf_index) + bytes_field(2, done.merkle_root)
            numbers += number_field(3, done.block_number) + bytes_field(4, done.transaction_hash)
            raw += bytes_field(4, numbers)
        elif self.failure is not None:
            raw += bytes_field(5, bytes_field(1, self.failure.encode()))
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> "AllocationResponse":
        """Reads a response. Untrusted; raises `AllocationMalformedError`."""
        try:
            fields = Fields(raw)
            error = fields.text(3) if fields.has(3) else None
            read = cls(fields.text(1), fields.number(2) == 1, error)
            if fields.has(4):
                done = Fields(fields.raw(4))
                at = Allocated(done.number(1), done.raw(2), done.number(3), done.raw(4))
                return replace(read, allocated=at)
            if fields.has(5):
                return replace(read, failure=Fields(fields.raw(5)).text(1))
        except MessageMalformedError as malformed:
            raise AllocationMalformedError(f"not a response: {malformed}") from malformed
        return read


class Authentication(Protocol):
    """One way to say who may have a membership."""

    @property
    def kind(self) -> bytes:
        """The `authentication_type`."""
        ...

    def payload(self, request: AllocationRequest) -> bytes:
        """Returns what a client sends with its request."""
        ...

    def accepts(self, request: AllocationRequest) -> bool:
        """Says whether the request's payload entitles it."""
        ...


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """Knowledge of a secret gives a membership; the secret does not travel."""

    secret: bytes = field(repr=False)
    kind: bytes = b"logos/shared-secret/1"

    def payload(self, request: AllocationRequest) -> bytes:
        """Returns HMAC-SHA-256 of the request's id, commitment and limit."""
        name = request.request_id.encode()
        limit = 0 if request.rate_limit is None else 1 + request.rate_limit
        message = varint.encode(len(name)) + name + request.identity_commitment
        return hmac.new(self.secret, message + limit.to_bytes(9, "little"), hashlib.sha256).digest()

    def accepts(self, request: AllocationRequest) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(self.payload(request), request.authentication_payload)


def authenticated(request: AllocationRequest, by: Authentication) -> AllocationRequest:
    """Returns the request with its authentication."""
    request = replace(request, authentication_type=by.kind)
    return replace(request, authentication_payload=by.payload(request))


def check_authentic(request: AllocationRequest, known: Mapping[bytes, Authentication]) -> None:
    """Raises `AuthenticationError` unless a known authentication accepts the request."""
    by = known.get(request.authentication_type)
    if by is None or not by.accepts(request):
        raise AuthenticationError("the request is not authenticated in a way that is known here")


def framed(message: bytes) -> bytes:
    """Returns a message after its length, as it travels on a stream."""
    return varint.encode(len(message)) + message


def unframed(raw: bytes) -> bytes | None:
    """Returns the message at the beginning of what came; None if it is not complete.

    Raises:
        AllocationMalformedError: Its length is none, or too much.
    """
    if len(raw) < varint.MAX_BYTES and all(byte >= 0x80 for byte in raw):
        return None  # within its length
    try:
        size, at = varint.decode(raw)
    except VarintError as error:
        raise AllocationMalformedError(f"a message begins with its length: {error}") from error
    if size > MAX_MESSAGE_BYTES:
        raise AllocationMalformedError(f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    return raw[at : at + size] if len(raw) >= at + size else None
